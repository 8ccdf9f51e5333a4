// Numbers as people read them.

const UNITS = ["B", "KB", "MB", "GB"];

/** A number of bytes, in the largest unit that leaves a whole one. */
export function bytes(n: number): string {
  const unit = n < 1 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), UNITS.length - 1);
  const value = n / 1000 ** unit;
  return `${value < 9.95 && unit ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const MINUS = "−";

/** How many; from ten thousand on in short. */
export function count(n: number): string {
  return (Math.abs(n) < 10_000 ? whole : compact).format(n);
}

/** A share of 1. */
export function percent(share: number): string {
  return `${Number((100 * share).toFixed(1))} %`;
}

/** A difference, with its sign. */
export function signed(n: number): string {
  const rounded = Number(n.toFixed(1));
  if (rounded === 0) return "0";
  return `${rounded < 0 ? MINUS : "+"}${Math.abs(rounded).toFixed(1)}`;
}

/** The first digits of a digest or an id: enough to tell it from others. */
export function short(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 8);
}

/** A sum of dollars, with as many digits as matter; empty for nothing. */
export function dollars(sum: number): string {
  if (!sum) return "";
  return `$${sum < 0.01 ? Number(sum.toPrecision(2)) : sum.toFixed(2)}`;
}
