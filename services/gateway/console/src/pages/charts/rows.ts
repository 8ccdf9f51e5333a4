// What charts draw of the rows of views.
import type { Axis } from "../../charts/axis.ts";
import { DAY } from "../../charts/axis.ts";
import { lookOf, type RowsLink, type Series } from "../../charts/series.ts";
import type { DailyVersionQuality, Quality } from "../../messages.ts";
import { count, percent } from "../../numbers.ts";
import { texts } from "../../texts.ts";
import { span } from "../../times.ts";

/** How often charts are drawn anew, in milliseconds. */
export const REFRESH = 15_000;

/** The stage that is the whole. */
export const TOTAL = "total";

export const RANGES = [7, 30, 90] as const;
export type Range = (typeof RANGES)[number];

/** How many days an address asks for. */
export function rangeOf(text: string | null): Range {
  return RANGES.find((days) => String(days) === text) ?? 30;
}

/** A value for each place of the axis, rows of one place added up; `missing` where there is none. */
export function values<Row>(
  axis: Axis,
  rows: readonly Row[],
  at: (row: Row) => string,
  of: (row: Row) => number | null,
  missing: number | null,
): (number | null)[] {
  const sums = new Map<number, number>();
  for (const row of rows) {
    const [place, value] = [Date.parse(at(row)), of(row)];
    if (value !== null) sums.set(place, (sums.get(place) ?? 0) + value);
  }
  return axis.values.map((place) => sums.get(place) ?? missing);
}

/** Counts by day: a day without rows has none of it. */
export function countsByDay<Row extends { day: string }>(
  axis: Axis,
  rows: readonly Row[],
  of: (row: Row) => number,
): (number | null)[] {
  return values(axis, rows, ({ day }) => day, of, 0);
}

/** Measurements by day: of a day without rows nothing is known. */
export function measuredByDay<Row extends { day: string }>(
  axis: Axis,
  rows: readonly Row[],
  of: (row: Row) => number | null,
): (number | null)[] {
  return values(axis, rows, ({ day }) => day, of, null);
}

/** Several series at most are told apart: those of the greatest weight, the heaviest first. */
export function heaviest<Row>(
  rows: readonly Row[],
  name: (row: Row) => string,
  weight: (row: Row) => number,
  most: number,
): string[] {
  const weights = new Map<string, number>();
  for (const row of rows) weights.set(name(row), (weights.get(name(row)) ?? 0) + weight(row));
  const sorted = [...weights].sort(([, one], [, other]) => other - one);
  return sorted.slice(0, most).map(([each]) => each);
}

export type Measure = (typeof MEASURES)[number];
export const MEASURES = [
  "approval",
  "groundedness",
  "answer_relevance",
  "context_precision",
  "abstained",
  "failed",
  "interactions",
  "p50_ms",
  "p95_ms",
  "tokens",
] as const;

/** What a version is measured by on a day; null where nothing was measured. */
export function measureOf(measure: Measure, row: DailyVersionQuality): number | null {
  switch (measure) {
    case "abstained":
    case "failed":
      return row.interactions ? row[measure] / row.interactions : null;
    case "tokens":
      return row.interactions
        ? (row.prompt_tokens + row.completion_tokens) / row.interactions
        : null;
    default:
      return row[measure];
  }
}

export function formatOf(measure: Measure): (value: number) => string {
  if (measure === "interactions" || measure === "tokens")
    return (value) => count(Math.round(value));
  return measure === "p50_ms" || measure === "p95_ms" ? span : percent;
}

/** Shares span all from none to everything, so that charts of them compare. */
export function spanOf(measure: Measure): [number, number] | undefined {
  const shares: Measure[] = ["approval", "groundedness", "answer_relevance", "context_precision"];
  return shares.includes(measure) ? [0, 1] : undefined;
}

/** Questions of an outcome that is in no column of its own. */
export function cancelled({ interactions, answered, abstained, failed }: Quality): number {
  return Math.max(0, interactions - answered - abstained - failed);
}

/** Series without those that are nothing everywhere. */
export function present(series: Series[]): Series[] {
  const some = series.filter(({ values }) => values.some((value) => value));
  return some.map((each) => ({ ...each, look: lookOf(each, series.indexOf(each)) }));
}

export interface Filters {
  outcome?: string;
  vote?: "up" | "down";
}

/** The stages that rows are of, the whole first, as they are offered. */
export function stagesIn(rows: readonly { stage: string }[]): { value: string; label: string }[] {
  const names = [...new Set([TOTAL, ...rows.map(({ stage }) => stage).sort()])];
  return names.map((value) => ({ value, label: texts.charts.stages[value] ?? value }));
}

/** The answers that a version served. */
export function answersOf(version: string): RowsLink {
  const query = new URLSearchParams({ version });
  return { href: `/interactions?${query}`, text: texts.charts.answersOf(version) };
}

/** The answers behind a chart: of `days` days from `since` (milliseconds) on. */
export function answersBehind(since: number, days: number, filters: Filters = {}): RowsLink {
  const query = new URLSearchParams({
    since: new Date(since).toISOString(),
    until: new Date(since + days * DAY).toISOString(),
    ...filters,
  });
  const { answersBehind, answersVoted } = texts.charts;
  const text = filters.vote ? answersVoted[filters.vote] : answersBehind;
  return { href: `/interactions?${query}`, text };
}
