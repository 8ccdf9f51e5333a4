// Makes a conversation of what was recorded of it.
import type { Interaction } from "../../messages.ts";

/** Oldest first. Of a question that was asked again at the same place, the last answer stands. */
export function inOrder(recorded: Interaction[]): Interaction[] {
  const oldestFirst = recorded.toSorted((one, other) =>
    one.started_at.localeCompare(other.started_at),
  );
  const lastByPlace = new Map(oldestFirst.map((each) => [placeOf(each), each]));
  return [...lastByPlace.values()];
}

/** What ended an answer before it was whole: a guardrail has what the model server said. */
export function cutOffBy({ guardrails }: Interaction) {
  const ended = (reason: string) =>
    guardrails.some(({ name, detail }) => name === "complete" && detail === `ended by ${reason}`);
  return {
    reached_max_tokens: ended("length"),
    content_filtered: ended("content_filter"),
    repeated_itself: ended("repetition"),
  };
}

function placeOf({ question, history }: Interaction): string {
  return JSON.stringify([question, history.map((turn) => [turn.role, turn.content])]);
}
