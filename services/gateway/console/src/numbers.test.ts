import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "./numbers.ts";

test("bytes are told in the largest unit that leaves a whole one", () => {
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(1_000), "1.0 KB");
  assert.equal(bytes(45_600), "46 KB");
  assert.equal(bytes(2_340_000), "2.3 MB");
  assert.equal(bytes(7_100_000_000_000), "7100 GB");
});
