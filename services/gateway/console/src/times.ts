// Times as people say them.
import { texts } from "./texts.ts";

const format = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });

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
