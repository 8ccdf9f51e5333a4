import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, dayAxis } from "../../charts/axis.ts";
import type { DailyVersionQuality } from "../../messages.ts";
import {
  answersBehind,
  cancelled,
  countsByDay,
  formatOf,
  heaviest,
  measuredByDay,
  measureOf,
  present,
  rangeOf,
} from "./rows.ts";

const axis = dayAxis(3, Date.parse("2026-03-04T12:00:00Z"));

function aRow(more: Partial<DailyVersionQuality>): DailyVersionQuality {
  return {
    day: "2026-03-03",
    role: "generator",
    version: "v1",
    interactions: 10,
    answered: 7,
    abstained: 2,
    failed: 0,
    groundedness: null,
    answer_relevance: null,
    context_precision: null,
    thumbs_up: 0,
    thumbs_down: 0,
    approval: null,
    p50_ms: 40,
    p95_ms: 120,
    prompt_tokens: 900,
    completion_tokens: 100,
    cost_usd: 0,
    ...more,
  };
}

test("days without rows have no questions, but nobody knows how good they would have been", () => {
  const rows = [aRow({ day: "2026-03-02", groundedness: 0.9 }), aRow({ day: "2026-03-04" })];
  assert.deepEqual(
    countsByDay(axis, rows, (row) => row.interactions),
    [10, 0, 10],
  );
  assert.deepEqual(
    measuredByDay(axis, rows, (row) => row.groundedness),
    [0.9, null, null],
  );
});

test("several rows of a day add up, and what is out of sight does not count", () => {
  const rows = [aRow({}), aRow({ version: "v2" }), aRow({ day: "2026-01-01" })];
  assert.deepEqual(
    countsByDay(axis, rows, (row) => row.interactions),
    [0, 20, 0],
  );
});

test("of many versions the most used are drawn", () => {
  const rows = [
    aRow({ version: "old", interactions: 3 }),
    aRow({ version: "new", interactions: 2 }),
    aRow({ version: "new", interactions: 2 }),
    aRow({ version: "rare", interactions: 1 }),
  ];
  const most = heaviest(
    rows,
    (row) => row.version,
    (row) => row.interactions,
    2,
  );
  assert.deepEqual(most, ["new", "old"]);
});

test("shares and tokens are by question, and of no question nothing", () => {
  assert.equal(measureOf("abstained", aRow({})), 0.2);
  assert.equal(measureOf("tokens", aRow({})), 100);
  assert.equal(measureOf("abstained", aRow({ interactions: 0 })), null);
  assert.equal(measureOf("approval", aRow({})), null);
});

test("a measure is written in its own unit", () => {
  assert.equal(formatOf("approval")(0.831), "83.1 %");
  assert.equal(formatOf("p95_ms")(1500), "1.5 s");
  assert.equal(formatOf("tokens")(1234.4), "1,234");
});

test("what was neither answered, declined nor failed was cancelled", () => {
  assert.equal(cancelled(aRow({})), 1);
});

test("a series that is nothing everywhere is left out, and the others keep their looks", () => {
  const shown = present([
    { name: "answered", values: [1, 2] },
    { name: "failed", values: [0, null] },
    { name: "cancelled", values: [0, 1] },
  ]);
  assert.deepEqual(
    shown.map(({ name, look }) => `${name} ${look}`),
    ["answered 0", "cancelled 2"],
  );
});

test("a range is one of those offered", () => {
  assert.equal(rangeOf("90"), 90);
  assert.equal(rangeOf("1e9"), 30);
  assert.equal(rangeOf(null), 30);
});

test("the rows behind a day are those from its midnight to the next, in UTC", () => {
  const { href } = answersBehind(Date.parse("2026-03-03"), 1, { outcome: "abstained" });
  const { pathname, searchParams } = new URL(href, "http://gyre");
  assert.equal(pathname, "/interactions");
  assert.equal(searchParams.get("since"), "2026-03-03T00:00:00.000Z");
  assert.equal(Date.parse(searchParams.get("until")!) - Date.parse("2026-03-03"), DAY);
  assert.equal(searchParams.get("outcome"), "abstained");
});
