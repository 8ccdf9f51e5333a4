import assert from "node:assert/strict";
import { test } from "node:test";
import { aRun } from "./builders.ts";
import { type Curves, lossRange, stepsOf, valuesAt, withRun } from "./curves.ts";

function curvesOf(...news: [stage: string, step: number, loss: number][]): Curves {
  return news.reduce<Curves>(
    (curves, [stage, step, loss]) =>
      withRun(curves, aRun({ stage, step, steps: 100, metrics: { loss } })),
    new Map(),
  );
}

const losses = (curves: Curves, stage: string) => curves.get(stage)?.map(({ loss }) => loss);

test("each stage has a curve of its own", () => {
  const curves = curvesOf(["full", 1, 2], ["full", 2, 1.5], ["low-rank", 1, 2.2]);
  assert.deepEqual(losses(curves, "full"), [2, 1.5]);
  assert.deepEqual(losses(curves, "low-rank"), [2.2]);
});

test("a step that is told again stands once, and a resumed training takes back what came after", () => {
  assert.deepEqual(losses(curvesOf(["full", 1, 2], ["full", 1, 1.9]), "full"), [1.9]);
  assert.deepEqual(
    losses(curvesOf(["full", 1, 2], ["full", 9, 1], ["full", 5, 1.4]), "full"),
    [2, 1.4],
  );
});

test("stages without steps or a loss, and runs that have ended, draw nothing", () => {
  const none: Curves = new Map();
  assert.equal(withRun(none, aRun({ stage: "prepare" })), none);
  assert.equal(withRun(none, aRun({ stage: "full", step: 1, steps: 9 })), none);
  const ended = aRun({ state: "released", step: 1, steps: 9, metrics: { loss: 1 } });
  assert.equal(withRun(none, ended), none);
});

test("curves share their steps, and have nothing where they have no point", () => {
  const curves = curvesOf(["full", 1, 2], ["full", 3, 1], ["low-rank", 2, 4]);
  const steps = stepsOf(curves);
  assert.deepEqual(steps, [1, 2, 3]);
  assert.deepEqual(
    valuesAt(steps, curves.get("full")!, ({ loss }) => loss),
    [2, null, 1],
  );
  assert.deepEqual(lossRange(curves), [1, 4]);
});
