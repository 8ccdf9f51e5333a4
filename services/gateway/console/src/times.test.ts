import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, span } from "./times.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");

test("a time is told in its largest whole unit", () => {
  const agoText = (before: number) => ago(NOW - before * 1000, NOW);
  assert.equal(agoText(5), "just now");
  assert.equal(agoText(60), "1 minute ago");
  assert.equal(agoText(2 * 3600 + 1), "2 hours ago");
  assert.equal(agoText(26 * 3600), "yesterday");
  assert.equal(agoText(400 * 24 * 3600), "last year");
});

test("a clock that is ahead makes it just now", () => {
  assert.equal(ago(NOW + 90_000, NOW), "just now");
});

test("a span is told with as many digits as matter", () => {
  assert.equal(span(0.42), "0.4 ms");
  assert.equal(span(9.96), "10 ms");
  assert.equal(span(812.4), "812 ms");
  assert.equal(span(999.7), "1 s");
  assert.equal(span(1_340), "1.3 s");
  assert.equal(span(59_960), "1 min 0 s");
  assert.equal(span(125_000), "2 min 5 s");
});
