// What each stage of retrieval thought of a passage.
import type { RetrievedPassage } from "../../messages.ts";

export interface StageScore {
  stage: string;
  /** Undefined where the stage did not find the passage. */
  score: number | undefined;
  /** Its place among all that this stage found; 1 is the best. */
  place: number | undefined;
}

const FIRST = ["bm25", "dense", "fused"];

/** The stages that scored any of the passages, in the order in which they work. */
export function stagesOf(passages: RetrievedPassage[]): string[] {
  const stages = new Set(passages.flatMap(({ scores }) => Object.keys(scores)));
  const known = FIRST.filter((stage) => stages.has(stage));
  return [...known, ...[...stages].filter((stage) => !FIRST.includes(stage)).toSorted()];
}

export function scoresOf(passage: RetrievedPassage, all: RetrievedPassage[]): StageScore[] {
  return stagesOf(all).map((stage) => {
    const score = passage.scores[stage];
    if (score === undefined) return { stage, score, place: undefined };
    const better = all.filter((each) => (each.scores[stage] ?? -Infinity) > score);
    return { stage, score, place: better.length + 1 };
  });
}
