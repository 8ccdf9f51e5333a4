// Where the loop from votes to a release stands, in five stations.
import type { Measured } from "../../charts/measured.ts";
import type {
  Artifact,
  DataSet,
  Release,
  ReleaseChange,
  Run,
  RunState,
  Slice,
} from "../../messages.ts";
import { texts } from "../../texts.ts";

const TRAINED_FIRST = "query-encoder";

/** The run that everything else waits for, or the newest. */
export function currentRun(runs: Run[]): Run | undefined {
  return runs.find((run) => run.state === "running") ?? runs[0];
}

/** The newest run that a gate has judged. */
export function judgedRun(runs: Run[]): Run | undefined {
  return runs.find((run) => run.verdict);
}

/** The newest that a run can still be made from. */
export function newestDataSet(dataSets: DataSet[]): DataSet | undefined {
  return dataSets.find((each) => !each.expired_at) ?? dataSets[0];
}

/** The release that training changes: beside the gate's word stands what that word was about. */
export function trainedRelease(releases: Release[], runs: Run[]): Release | undefined {
  const current = currentRun(runs);
  const run = current?.state === "running" ? current : (judgedRun(runs) ?? current);
  const role = run?.role ?? TRAINED_FIRST;
  return releases.find((release) => release.role === role);
}

/** Of what a gate measured, the whole; undefined where nothing was. */
export function overall(run: Run): (Slice & { difference: number }) | undefined {
  const whole = run.verdict?.slices[0];
  return whole?.difference === undefined ? undefined : { ...whole, difference: whole.difference };
}

/** How much of its stage a run has done, from 0 to 1; undefined where it has no steps. */
export function stageShare(run: Run): number | undefined {
  return run.steps ? run.step / run.steps : undefined;
}

/** When a release's live version went live, who did it and why; undefined where the record of changes
 * is not at hand. A tenant that still has what the default had has it since the default has. A
 * release that has changed since that record was written has only just changed. */
export function wentLive(
  release: Release,
  changes: ReleaseChange[] | undefined,
): { time: string; actor: string; reason: string } | undefined {
  if (!changes) return undefined;
  const ofRole = changes.filter(({ role }) => role === release.role);
  const own = ofRole.find(({ tenant }) => tenant === release.tenant);
  const last = own ?? ofRole.find(({ tenant, live }) => tenant === "*" && live === release.live);
  if (last?.live === release.live) return last;
  return { time: release.changed_at, actor: release.actor, reason: release.reason };
}

export type GateWord = "passed" | "failed" | "shipped" | "unseen";

/** What speaks for a version. */
export function gateOf({ evidence }: Artifact): GateWord {
  const gate = evidence["gate"];
  if (gate === "passed" || gate === "failed") return gate;
  return evidence["origin"] === "shipped" ? "shipped" : "unseen";
}

/** Whether making it live takes somebody who answers for it: it did not ship with Gyre, no gate let
 * it pass, and it was never live. */
export function needsOverride(artifact: Artifact, release: Release): boolean {
  const gate = gateOf(artifact);
  const served = [release.live, ...release.history].includes(artifact.version);
  return gate !== "passed" && gate !== "shipped" && !served;
}

/** The version of a run that is not live but could be, with the release that it would change. */
export function waitingVersion(
  run: Run,
  releases: Release[],
): { artifact: Artifact; release: Release } | undefined {
  const release = releases.find((each) => each.role === run.role);
  const artifact = release?.artifacts.find((each) => each.version === run.version);
  const judged = run.state === "passed" || run.state === "refused";
  if (!release || !artifact || !judged || release.live === run.version) return undefined;
  return { artifact, release };
}

/** What was measured of a slice, as it is drawn. */
export function measuredOf({ difference, low, high }: Slice): Measured {
  return { value: difference ?? null, low: low ?? null, high: high ?? null };
}

/** Until the last step of a run's stage; undefined where nobody knows, or no whole one is left. */
export function secondsLeft(run: Run): number | undefined {
  const seconds = Math.round(run.metrics["seconds_left"] ?? 0);
  return run.steps && seconds ? seconds : undefined;
}

/** A stage in words; one of a recipe that is not known here keeps its name. */
export function stageName(stage: string): string {
  return texts.loop.stages[stage] ?? stage;
}

const HINTS: Record<string, Record<string, string>> = {
  "query-encoder": texts.loop.passageHints,
  generator: texts.loop.answerHints,
  "prompt/answer": texts.loop.answerHints,
};

/** What a run does in a stage, or nothing where that is not known. */
export function stageHint(run: Run, stage: string): string {
  const own = HINTS[run.role]?.[stage];
  return own ?? texts.loop.stageHints[stage] ?? "";
}

export interface Stage {
  name: string;
  state: "done" | "current" | "stopped" | "ahead";
}

const BEFORE = ["prepare"];
const LEARNING: Record<string, string[]> = {
  "query-encoder": ["full", "low-rank"],
  "few-shot": ["examples"],
  sft: ["low-rank"],
  dpo: ["low-rank"],
  kto: ["low-rank"],
  grpo: ["low-rank"],
  "soft-prompt": ["soft-prompt"],
  reward: ["low-rank"],
};
const AFTER = ["export", "compare", "settling"];
const JUDGED: RunState[] = ["released", "passed", "refused"];

/** The stages of a run in their order; of a recipe that is not known here, those that are. */
export function stagesOf(run: Run): Stage[] {
  const chosen = run.settings["variant"];
  const learning = chosen ? [chosen] : (LEARNING[run.recipe] ?? []);
  const names = [...BEFORE, ...learning, ...AFTER];
  const known = !run.stage || run.stage === "waiting" || names.includes(run.stage);
  if (!known) names.splice(BEFORE.length, 0, run.stage);
  const at = names.indexOf(run.stage);
  return names.map((name, place) => {
    if (JUDGED.includes(run.state) || place < at) return { name, state: "done" };
    if (place > at) return { name, state: "ahead" };
    return { name, state: run.state === "running" ? "current" : "stopped" };
  });
}

/** Whether it ended before there was anything to judge: its message says why. */
export function isUnfinished(run: Run): boolean {
  return ["failed", "interrupted", "cancelled"].includes(run.state);
}

/** Whether there is work of it to go on from. */
export function canGoOn(run: Run): boolean {
  return isUnfinished(run) && !["", "waiting", ...BEFORE].includes(run.stage);
}

/** Whether its first step of learning may still come. */
export function learnsLater(run: Run): boolean {
  return run.state === "running" && !AFTER.includes(run.stage);
}

/** Who made a run's version live against its gate, and why; undefined where nobody did. What is live
 * is known sooner than the record of changes, which also holds what was live. */
export function overrideOf(
  run: Run,
  releases: Release[],
  changes: ReleaseChange[],
): { actor: string; reason: string } | undefined {
  const live = releases.find(({ role, live }) => role === run.role && live === run.version);
  const actor = live?.evidence["override"];
  if (actor) return { actor, reason: live?.evidence["why"] ?? "" };
  const change = changes.find((each) => each.run_id === run.run_id && each.overridden_by);
  return change && { actor: change.overridden_by, reason: change.reason };
}

/** The station of the loop at which a run is; undefined where none goes on. */
export function stationOf(run: Run | undefined): "dataSet" | "run" | "gate" | undefined {
  if (run?.state !== "running") return undefined;
  if (["", "waiting", ...BEFORE].includes(run.stage)) return "dataSet";
  return ["compare", "settling"].includes(run.stage) ? "gate" : "run";
}
