// How long each part of an answer took, one after the other.

export interface Bar {
  stage: string;
  /** When it began and how long it took, in milliseconds. */
  start: number;
  length: number;
  /** It is a part of the stage above. */
  inner: boolean;
}

/** As the generator runs them; other stages come behind. */
const ORDER = ["route", "retrieve", "pack", "generate", "ground", "cite"];
const PARTS: Record<string, string[]> = { retrieve: ["encode", "search"] };
const TOTAL = "total";

/** The record knows how long stages took, not when they began: they run one after the other, and the
 * parts of one from its beginning on. */
export function waterfall(latency: Record<string, number>): Bar[] {
  const parts = new Set(Object.values(PARTS).flat());
  const known = ORDER.filter((stage) => stage in latency);
  const others = Object.keys(latency)
    .filter((stage) => stage !== TOTAL && !ORDER.includes(stage) && !parts.has(stage))
    .toSorted();
  const bars: Bar[] = [];
  let start = 0;
  for (const stage of [...known, ...others]) {
    const length = latency[stage]!;
    bars.push({ stage, start, length, inner: false });
    let within = start;
    for (const part of PARTS[stage] ?? []) {
      if (latency[part] === undefined) continue;
      bars.push({ stage: part, start: within, length: latency[part], inner: true });
      within += latency[part];
    }
    start += length;
  }
  return bars;
}

/** How long all of it took, in milliseconds. */
export function totalOf(latency: Record<string, number>, bars: Bar[]): number {
  const end = Math.max(0, ...bars.map((bar) => bar.start + bar.length));
  return Math.max(latency[TOTAL] ?? 0, end);
}
