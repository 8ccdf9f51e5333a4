// What charts draw: values by name, one for each place of the axis, and where that puts their marks.
import type { ScaleLinear } from "d3-scale";
import { stack, stackOffsetDiverging } from "d3-shape";
import type { Snippet } from "svelte";
import type { Axis } from "./axis.ts";

export interface Series {
  name: string;
  /** Null where nothing was measured. */
  values: (number | null)[];
  /** Its colour, with the pattern, dashes and sign that go with it; its place where it is left out. */
  look?: Look;
}

export const LOOKS = [0, 1, 2, 3, 4, 5] as const;
export type Look = (typeof LOOKS)[number];

/** What every chart is given. */
export interface ChartProps {
  title: string;
  /** What it shows, and how to read it. */
  about?: string;
  axis: Axis;
  series: Series[];
  /** How a value is written. */
  format: (value: number) => string;
  /** Where the rows behind all values are, and those behind the values of one place. */
  rows?: RowsLink;
  rowsAt?: (value: number) => RowsLink;
  /** What chooses among several of its kind. */
  controls?: Snippet;
}

export interface RowsLink {
  href: string;
  text: string;
}

/** Where marks are drawn, in pixels. */
export interface Frame {
  x: ScaleLinear<number, number>;
  y: ScaleLinear<number, number>;
  height: number;
}

export interface Point {
  at: number;
  value: number;
}

/** A part of a stacked bar: from `low` to `high` at place `at` of the axis. */
export interface Part {
  at: number;
  low: number;
  high: number;
}

export function lookOf(series: Series, place: number): Look {
  return series.look ?? LOOKS[place % LOOKS.length]!;
}

/** The points of a series, in runs of neighbours: over a gap no line is drawn. */
export function segments(series: Series, axis: Axis): Point[][] {
  const pieces: Point[][] = [];
  for (const [place, at] of axis.values.entries()) {
    const value = series.values[place] ?? null;
    if (value === null) continue;
    const last = pieces.at(-1)?.at(-1);
    if (last && at - last.at <= 1.5 * axis.step) pieces.at(-1)!.push({ at, value });
    else pieces.push([{ at, value }]);
  }
  return pieces;
}

/** The parts of each series when they stand on one another; what is negative hangs below. */
export function stacked(series: Series[], axis: Axis): Part[][] {
  const rows = axis.values.map((_, place) => series.map((each) => each.values[place] ?? 0));
  const layers = stack<number[], number>()
    .keys(series.keys())
    .value((row, key) => row[key]!)
    .offset(stackOffsetDiverging)(rows);
  return layers.map((layer) =>
    layer.map(([low, high], place) => ({ at: axis.values[place]!, low, high })),
  );
}

/** From the least to the greatest of these, nothing included. */
export function extent(values: Iterable<number | null>): [number, number] {
  let [low, high] = [0, 0];
  for (const value of values) {
    low = Math.min(low, value ?? 0);
    high = Math.max(high, value ?? 0);
  }
  return [low, high];
}

/** The place of the axis that is nearest. */
export function nearest(axis: Axis, at: number): number {
  let best = 0;
  for (const [place, value] of axis.values.entries()) {
    if (Math.abs(value - at) < Math.abs(axis.values[best]! - at)) best = place;
  }
  return best;
}
