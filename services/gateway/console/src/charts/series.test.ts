import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, dayAxis, hourAxis, stepAxis } from "./axis.ts";
import { extent, nearest, segments, stacked } from "./series.ts";

const NOON = Date.parse("2026-03-04T12:00:00Z");

test("days are those of UTC, up to today", () => {
  const axis = dayAxis(3, NOON);
  assert.deepEqual(axis.values.map(axis.label), ["2 March 2026", "3 March 2026", "4 March 2026"]);
});

test("ticks of days stand on midnight, and are no more than there is room for", () => {
  for (const count of [7, 30, 90]) {
    const axis = dayAxis(count, NOON);
    const ticks = axis.ticks(6);
    assert.ok(ticks.length >= 2 && ticks.length <= 9, `${ticks.length} of ${count}`);
    assert.ok(ticks.every((tick) => axis.values.includes(tick.value)));
  }
});

test("an axis of one place has a tick or none, and does not fail", () => {
  assert.ok(dayAxis(1, NOON).ticks(5).length <= 1);
  assert.ok(stepAxis([3]).ticks(5).length <= 1);
  assert.deepEqual(hourAxis([]).ticks(5), []);
});

test("hours of one day are told by the clock", () => {
  const morning = Date.parse("2026-03-04T09:00:00Z");
  const ticks = hourAxis([morning, morning + 2 * 3_600_000]).ticks(5);
  assert.deepEqual(
    ticks.map(({ text }) => text),
    ["09:00", "10:00", "11:00"],
  );
});

test("no line is drawn over a day without a value", () => {
  const axis = dayAxis(5, NOON);
  const runs = segments({ name: "score", values: [1, 2, null, 3, 4] }, axis);
  assert.deepEqual(
    runs.map((run) => run.map((point) => point.value)),
    [
      [1, 2],
      [3, 4],
    ],
  );
});

test("hours that are far apart are not joined, whatever lies between them", () => {
  const axis = hourAxis([0, 3_600_000, 10 * DAY]);
  assert.equal(segments({ name: "p50", values: [1, 1, 1] }, axis).length, 2);
});

test("steps are joined, also where another series has its own between them", () => {
  const runs = segments({ name: "full", values: [1, null, 0.5] }, stepAxis([1, 2, 3]));
  assert.deepEqual(runs, [
    [
      { at: 1, value: 1 },
      { at: 3, value: 0.5 },
    ],
  ]);
});

test("bars stand on one another, and what is negative hangs below", () => {
  const axis = stepAxis([1, 2]);
  const parts = stacked(
    [
      { name: "up", values: [3, null] },
      { name: "more", values: [2, 1] },
      { name: "down", values: [-4, 0] },
    ],
    axis,
  );
  assert.deepEqual(parts[0]![0], { at: 1, low: 0, high: 3 });
  assert.deepEqual(parts[1]![0], { at: 1, low: 3, high: 5 });
  assert.deepEqual(parts[2]![0], { at: 1, low: -4, high: 0 });
  assert.deepEqual(parts[1]![1], { at: 2, low: 0, high: 1 });
});

test("an extent begins at nothing", () => {
  assert.deepEqual(extent([3, null, 5]), [0, 5]);
  assert.deepEqual(extent([-2, 1]), [-2, 1]);
  assert.deepEqual(extent([]), [0, 0]);
});

test("a pointer means the place that is nearest", () => {
  const axis = stepAxis([10, 20, 40]);
  assert.equal(nearest(axis, 14), 0);
  assert.equal(nearest(axis, 33), 2);
  assert.equal(nearest(axis, 999), 2);
});
