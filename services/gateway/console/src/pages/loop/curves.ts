// What a run told of its training, step by step, as long as somebody watched.
import type { Run } from "../../messages.ts";

export interface CurvePoint {
  step: number;
  loss: number;
  tokensPerSecond: number | undefined;
}

/** By stage, each in rising order of steps. */
export type Curves = ReadonlyMap<string, readonly CurvePoint[]>;

/** With what a run says of itself now. A step that comes again stands in place of the first, and a
 * training that goes on from an earlier step takes back what came after it. */
export function withRun(curves: Curves, run: Run): Curves {
  const { stage, step, steps, metrics } = run;
  const loss = metrics["loss"];
  if (run.state !== "running" || !steps || loss === undefined) return curves;
  const before = (curves.get(stage) ?? []).filter((point) => point.step < step);
  const point = { step, loss, tokensPerSecond: metrics["tokens_per_second"] };
  return new Map(curves).set(stage, [...before, point]);
}

/** Every step that any stage has a point of, in rising order. */
export function stepsOf(curves: Curves): number[] {
  const steps = [...curves.values()].flatMap((points) => points.map(({ step }) => step));
  return [...new Set(steps)].sort((one, other) => one - other);
}

/** A value for each of `steps`; null where there is no point. */
export function valuesAt(
  steps: number[],
  points: readonly CurvePoint[],
  of: (point: CurvePoint) => number | undefined,
): (number | null)[] {
  const byStep = new Map(points.map((point) => [point.step, of(point)]));
  return steps.map((step) => byStep.get(step) ?? null);
}

/** What a loss moves within: from nothing its fall would hardly be seen. */
export function lossRange(curves: Curves): [number, number] {
  const losses = [...curves.values()].flatMap((points) => points.map(({ loss }) => loss));
  return [Math.min(...losses), Math.max(...losses)];
}
