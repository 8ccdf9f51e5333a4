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

/** Whether the bound on its length ended an answer: a guardrail has what the model server said. */
export function reachedMaxTokens({ guardrails }: Interaction): boolean {
  return guardrails.some(({ name, detail }) => name === "complete" && detail === "ended by length");
}

function placeOf({ question, history }: Interaction): string {
  return JSON.stringify([question, history.map((turn) => [turn.role, turn.content])]);
}
