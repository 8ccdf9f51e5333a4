import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST, problemOf } from "./correction.ts";

test("an empty correction is told what to write", () => {
  assert.match(problemOf(" \n") ?? "", /^Nothing is written\./);
});

test("what no training would learn from is too long by so many characters", () => {
  assert.equal(problemOf("🍵".repeat(MOST)), undefined);
  assert.match(problemOf("é".repeat(MOST + 1)) ?? "", /^1 character too many/);
  assert.match(problemOf("é".repeat(100_000)) ?? "", /^92,000 characters too many/);
});
