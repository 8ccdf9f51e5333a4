// What the horizontal axis of a chart counts: days, hours or steps.
import { scaleLinear, scaleUtc } from "d3-scale";
import { texts } from "../texts.ts";

export interface Axis {
  /** What it counts, such as `Day`. */
  name: string;
  /** In rising order; times are in milliseconds. */
  values: number[];
  /** The usual distance of two neighbours; those further apart are not joined. */
  step: number;
  /** One value in full. */
  label: (value: number) => string;
  ticks: (most: number) => Tick[];
}

export interface Tick {
  value: number;
  text: string;
}

export const DAY = 86_400_000;
const HOUR = 3_600_000;

const dayOfMonth = format({ day: "numeric", month: "short" });
const hourOfDay = format({ hour: "2-digit", minute: "2-digit" });
const wholeDay = format({ day: "numeric", month: "long", year: "numeric" });
const wholeHour = format({ day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });

/** The last `count` days up to `now`, in UTC, as the views have them. */
export function dayAxis(count: number, now: number): Axis {
  const today = Math.floor(now / DAY) * DAY;
  const values = Array.from({ length: count }, (_, at) => today - (count - 1 - at) * DAY);
  return timeAxis(texts.charts.day, values, DAY, (day) => wholeDay.format(day));
}

/** Hours in which something happened. */
export function hourAxis(values: number[]): Axis {
  return timeAxis(texts.charts.hour, values, HOUR, (hour) => `${wholeHour.format(hour)} UTC`);
}

/** Steps of a training. */
export function stepAxis(values: number[]): Axis {
  const last = values.at(-1) ?? 0;
  const ticks = (most: number) =>
    scaleLinear([values[0] ?? 0, last], [0, 1])
      .ticks(most)
      .filter(Number.isInteger)
      .map((value) => ({ value, text: String(value) }));
  return { name: texts.charts.step, values, step: Infinity, label: texts.charts.atStep, ticks };
}

function timeAxis(
  name: string,
  values: number[],
  step: number,
  label: (value: number) => string,
): Axis {
  const [first = 0, last = 0] = [values[0], values.at(-1)];
  const short = last - first < 2 * DAY && step < DAY;
  const [unit, text] = short ? [HOUR, hourOfDay] : [DAY, dayOfMonth];
  const ticks = (most: number) => {
    if (!values.length) return [];
    const count = Math.max(1, Math.min(most, Math.round((last - first) / unit)));
    return scaleUtc([first, last], [0, 1])
      .ticks(count)
      .map(Number)
      .filter((value) => value % unit === 0)
      .map((value) => ({ value, text: text.format(value) }));
  };
  return { name, values, step, label, ticks };
}

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" });
}
