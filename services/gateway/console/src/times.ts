// Times as people say them.
import { texts } from "./texts.ts";

const format = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });

const exactFormat = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const timeOfDayFormat = new Intl.DateTimeFormat("en", { timeStyle: "medium" });

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 24 * 3600],
  ["month", 30 * 24 * 3600],
  ["day", 24 * 3600],
  ["hour", 3600],
  ["minute", 60],
];

/** How long before `now` a time was, in the largest whole unit; both in milliseconds. A clock that
 * is ahead makes it "just now". */
export function ago(time: number, now: number): string {
  const seconds = (now - time) / 1000;
  for (const [unit, length] of UNITS) {
    if (seconds >= length) return format.format(-Math.floor(seconds / length), unit);
  }
  return texts.time.now;
}

/** RFC 3339 → the moment by the reader's own clock, to the second. */
export function exactTime(at: string): string {
  return exactFormat.format(new Date(at));
}

/** The time of day of a moment, as `exactTime` has it. */
export function timeOfDay(at: string): string {
  return timeOfDayFormat.format(new Date(at));
}

/** A span of milliseconds as people read it: "0.4 ms", "812 ms", "1.3 s", "2 min 5 s". */
export function span(ms: number): string {
  if (ms < 9.95) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
