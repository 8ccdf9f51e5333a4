import assert from "node:assert/strict";
import { test } from "node:test";
import { measuredScale, shareOf, toneOf } from "./measured.ts";

test("better and worse are said only where the whole interval is on that side", () => {
  assert.equal(toneOf({ value: 5, low: 1, high: 9 }), "better");
  assert.equal(toneOf({ value: -5, low: -9, high: -1 }), "worse");
  assert.equal(toneOf({ value: 5, low: -1, high: 9 }), "open");
  assert.equal(toneOf({ value: 5, low: 0, high: 9 }), "open");
  assert.equal(toneOf({ value: null, low: null, high: null }), "open");
});

test("an interval of a share is Wilson's", () => {
  const { value, low, high } = shareOf(8, 10); // 0.4901625 and 0.9433178 by R's binom.wilson
  assert.equal(value, 0.8);
  assert.ok(Math.abs(low! - 0.49016) < 1e-4 && Math.abs(high! - 0.94332) < 1e-4);
});

test("a share of nothing is none, and of all is not above one", () => {
  assert.equal(shareOf(0, 0).value, null);
  assert.equal(shareOf(5, 5).high, 1);
  assert.equal(shareOf(0, 5).low, 0);
});

test("a drawing has room for every whisker and for nothing", () => {
  const x = measuredScale([{ value: 5, low: 2, high: 9 }]);
  assert.ok(x(0) >= 4 && x(9) <= 96);
  assert.ok(Number.isFinite(measuredScale([]).ticks(4)[0]));
});
