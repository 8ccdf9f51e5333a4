import assert from "node:assert/strict";
import { test } from "node:test";
import { filtersOf, hoursAgo, isNarrowed } from "./filters.ts";

test("the address says what is listed, and what it does not know is nothing", () => {
  const query = new URLSearchParams("outcome=abstained&search=green+tea&colour=red");
  const filters = filtersOf(query);
  assert.equal(filters.outcome, "abstained");
  assert.equal(filters.search, "green tea");
  assert.equal(filters.vote, "");
  assert.ok(!("colour" in filters));
});

test("without parameters everything is listed", () => {
  assert.ok(!isNarrowed(filtersOf(new URLSearchParams())));
  assert.ok(isNarrowed(filtersOf(new URLSearchParams("since=2026-03-01T00:00:00Z"))));
});

test("a span ends now", () => {
  const now = Date.parse("2026-03-02T12:00:00Z");
  assert.equal(hoursAgo(24, now), "2026-03-01T12:00:00.000Z");
});
