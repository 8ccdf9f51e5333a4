// Which interactions are listed, as the address of the page says it.
import type { InteractionFilters } from "../../messages.ts";

const NAMES = [
  "search",
  "outcome",
  "vote",
  "version",
  "conversation_id",
  "since",
  "until",
] as const satisfies (keyof InteractionFilters)[];

export function filtersOf(query: URLSearchParams): Required<InteractionFilters> {
  const entries = NAMES.map((name) => [name, query.get(name) ?? ""]);
  return Object.fromEntries(entries) as Required<InteractionFilters>;
}

export function isNarrowed(filters: InteractionFilters): boolean {
  return Object.values(filters).some(Boolean);
}

/** Spans of time to choose from, in hours. */
export const SPANS = { hour: 1, day: 24, week: 7 * 24, month: 30 * 24 };

/** The moment so many hours before `now`, in milliseconds, as RFC 3339. */
export function hoursAgo(hours: number, now: number): string {
  return new Date(now - hours * 3_600_000).toISOString();
}
