// What of a long list is on screen, and how it takes in what is new.

/** Rows `first` up to, but not with, `last`. */
export interface Rows {
  first: number;
  last: number;
}

/** Beyond both edges, so that scrolling and the Tab key always find the next row drawn. */
const SPARE = 12;

/** Those of `count` rows that have to be drawn where `above` pixels of the list are scrolled away and
 * `height` pixels are in sight. */
export function rowsInSight(above: number, height: number, rowHeight: number, count: number): Rows {
  if (!rowHeight) return { first: 0, last: Math.min(count, 2 * SPARE) };
  const within = (row: number) => Math.min(Math.max(row, 0), count);
  return {
    first: within(Math.floor(above / rowHeight) - SPARE),
    last: within(Math.ceil((above + height) / rowHeight) + SPARE),
  };
}

/** The list with its beginning as it is now. Behind the last row of `fresh` that was known already
 * stays what followed it; nothing does where none was. */
export function refreshed<T>(known: T[], fresh: T[], key: (item: T) => string): T[] {
  const places = new Map(known.map((item, at) => [key(item), at]));
  const freshKeys = new Set(fresh.map(key));
  const last = fresh.findLast((item) => places.has(key(item)));
  if (!last) return fresh;
  const behind = known.slice(places.get(key(last))! + 1);
  return [...fresh, ...behind.filter((item) => !freshKeys.has(key(item)))];
}
