import assert from "node:assert/strict";
import { test } from "node:test";
import { refreshed, rowsInSight } from "./paging.ts";

const asIs = (item: string) => item;

test("of ten thousand rows those in sight are drawn, and a few beyond both edges", () => {
  const { first, last } = rowsInSight(5_000 * 60, 600, 60, 10_000);
  assert.ok(first < 5_000 && first > 4_980, String(first));
  assert.ok(last > 5_010 && last < 5_030, String(last));
});

test("at both ends no more rows are drawn than there are", () => {
  assert.equal(rowsInSight(-300, 600, 60, 10_000).first, 0);
  assert.deepEqual(rowsInSight(0, 600, 60, 3), { first: 0, last: 3 });
  assert.deepEqual(rowsInSight(900_000, 600, 60, 100), { first: 100, last: 100 });
});

test("before the height of a row is known the first rows are drawn", () => {
  const { first, last } = rowsInSight(0, 600, 0, 10_000);
  assert.equal(first, 0);
  assert.ok(last > 0 && last < 100);
});

test("a refreshed list begins with what is new, and keeps what was loaded behind", () => {
  assert.deepEqual(refreshed(["c", "b", "a"], ["e", "d", "c"], asIs), ["e", "d", "c", "b", "a"]);
});

test("what is gone from the refreshed part leaves the list", () => {
  assert.deepEqual(refreshed(["a", "b", "c", "d"], ["a", "c"], asIs), ["a", "c", "d"]);
});

test("a row that moved to the front is there once", () => {
  assert.deepEqual(refreshed(["a", "b", "c"], ["c", "a"], asIs), ["c", "a", "b"]);
});

test("where nothing of it was known before, the list starts anew", () => {
  assert.deepEqual(refreshed(["b", "a"], ["z", "y"], asIs), ["z", "y"]);
  assert.deepEqual(refreshed(["b", "a"], [], asIs), []);
});
