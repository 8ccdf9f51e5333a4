import assert from "node:assert/strict";
import { test } from "node:test";
import { totalOf, waterfall } from "./waterfall.ts";

const LATENCY = { total: 50, generate: 12, retrieve: 30, search: 18, encode: 9, route: 1 };

test("stages follow one another, and the parts of one lie inside of it", () => {
  const bars = waterfall(LATENCY).map((bar) => [bar.stage, bar.start, bar.length, bar.inner]);
  assert.deepEqual(bars, [
    ["route", 0, 1, false],
    ["retrieve", 1, 30, false],
    ["encode", 1, 9, true],
    ["search", 10, 18, true],
    ["generate", 31, 12, false],
  ]);
});

test("a stage that nobody knew when this was written is there too", () => {
  const stages = waterfall({ generate: 2, rewrite: 5, total: 7 }).map(({ stage }) => stage);
  assert.deepEqual(stages, ["generate", "rewrite"]);
});

test("the whole is no shorter than its stages", () => {
  assert.equal(totalOf(LATENCY, waterfall(LATENCY)), 50);
  assert.equal(totalOf({ generate: 12 }, waterfall({ generate: 12 })), 12);
  assert.equal(totalOf({}, []), 0);
});
