import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, count, dollars, percent, short, signed } from "./numbers.ts";

test("bytes are told in the largest unit that leaves a whole one", () => {
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(1_000), "1.0 KB");
  assert.equal(bytes(45_600), "46 KB");
  assert.equal(bytes(2_340_000), "2.3 MB");
  assert.equal(bytes(7_100_000_000_000), "7100 GB");
});

test("a difference has its sign, and nothing has none", () => {
  assert.equal(signed(5.52), "+5.5");
  assert.equal(signed(4), "+4.0");
  assert.equal(signed(-1.83), "−1.8");
  assert.equal(signed(-0.04), "0");
});

test("shares and counts are short", () => {
  assert.equal(percent(0.8312), "83.1 %");
  assert.equal(percent(1), "100 %");
  assert.equal(count(9_999), "9,999");
  assert.equal(count(12_345), "12.3K");
});

test("of a digest the first digits are enough", () => {
  assert.equal(short("sha256:80a255a1c0ffee00"), "80a255a1");
});

test("small sums keep the digits that matter, and nothing is nothing", () => {
  assert.equal(dollars(0), "");
  assert.equal(dollars(0.00042), "$0.00042");
  assert.equal(dollars(1.5), "$1.50");
});
