// How far a submission of a document got, and when.
import type { DocumentEvent } from "../../messages.ts";
import { isKeptOut } from "./words.ts";

export interface Stage {
  /** One of `texts.documents.stages`, or the state that it came to. */
  name: string;
  at: string;
  /** Milliseconds since the stage before; undefined for the first, and where clocks disagree. */
  took?: number;
  failed: boolean;
}

/** The stages that it reached, in order; the last one is what it came to. Of those before it only
 * the ones whose times are known. */
export function stagesOf(event: DocumentEvent): Stage[] {
  const reached: [string, string | undefined][] = [
    ["submitted", event.submitted_at],
    ["accepted", event.accepted_at],
    ["chunked", event.chunked_at],
    [event.stage || event.state, event.happened_at],
  ];
  const stages: Stage[] = [];
  for (const [name, at] of reached) {
    if (at === undefined) continue;
    const before = stages.at(-1);
    const ms = before ? Date.parse(at) - Date.parse(before.at) : -1;
    stages.push({ name, at, took: ms < 0 ? undefined : ms, failed: false });
  }
  stages.at(-1)!.failed = isKeptOut(event.state);
  return stages;
}
