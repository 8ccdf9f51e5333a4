// Numbers as people read them.

const UNITS = ["B", "KB", "MB", "GB"];

/** A number of bytes, in the largest unit that leaves a whole one. */
export function bytes(n: number): string {
  const unit = n < 1 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), UNITS.length - 1);
  const value = n / 1000 ** unit;
  return `${value < 9.95 && unit ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
