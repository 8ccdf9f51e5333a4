// A value that was measured, and its 95 % interval.
import { scaleLinear, type ScaleLinear } from "d3-scale";
import { extent } from "./series.ts";

/** Null where nothing was measured. */
export interface Measured {
  value: number | null;
  low: number | null;
  high: number | null;
}

/** Worse or better than nothing only where the whole interval lies on that side. */
export function toneOf({ low, high }: Measured): "better" | "worse" | "open" {
  if (low !== null && low > 0) return "better";
  return high !== null && high < 0 ? "worse" : "open";
}

/** Percent of the width of a drawing that has room for all of them, and for nothing. */
export function measuredScale(
  all: Measured[],
  range?: [number, number],
): ScaleLinear<number, number> {
  const ends = all.flatMap(({ value, low, high }) => [value, low, high]);
  const [least, greatest] = range ?? extent(ends);
  return scaleLinear(least === greatest ? [0, 1] : [least, greatest], [4, 96]).nice(4);
}

const Z = 1.96;

/** A share with Wilson's score interval: Wilson 1927, doi:10.1080/01621459.1927.10502953. */
export function shareOf(hits: number, all: number): Measured {
  if (all === 0) return { value: null, low: null, high: null };
  const share = hits / all;
  const spread = Z ** 2 / all;
  const middle = (share + spread / 2) / (1 + spread);
  const half = (Z / (1 + spread)) * Math.sqrt((share * (1 - share)) / all + spread / (4 * all));
  return { value: share, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}
