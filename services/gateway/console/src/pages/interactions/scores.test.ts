import assert from "node:assert/strict";
import { test } from "node:test";
import type { RetrievedPassage } from "../../messages.ts";
import { aPassage } from "../ask/builders.ts";
import { scoresOf, stagesOf } from "./scores.ts";

function scored(id: string, scores: Record<string, number>): RetrievedPassage {
  return { ...aPassage(id, "Tea."), scores, used: true, propensity: 1 };
}

const ALL = [
  scored("a", { fused: 0.03, dense: 0.8, rerank: 2 }),
  scored("b", { fused: 0.02, dense: 0.9, bm25: 7 }),
];

test("stages stand in the order in which they work, unknown ones last", () => {
  assert.deepEqual(stagesOf(ALL), ["bm25", "dense", "fused", "rerank"]);
  assert.deepEqual(stagesOf([]), []);
});

test("a passage has its place in each stage that found it", () => {
  assert.deepEqual(scoresOf(ALL[0]!, ALL), [
    { stage: "bm25", score: undefined, place: undefined },
    { stage: "dense", score: 0.8, place: 2 },
    { stage: "fused", score: 0.03, place: 1 },
    { stage: "rerank", score: 2, place: 1 },
  ]);
});
