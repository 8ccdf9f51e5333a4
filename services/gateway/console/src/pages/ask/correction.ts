// What a correction still lacks.
import { texts } from "../../texts.ts";

/** Characters. No training learns from a longer answer. */
export const MOST = 8_000;

/** Why it cannot be kept, in words; undefined where it can, or where nothing was changed yet. */
export function problemOf(text: string): string | undefined {
  const length = [...text.trim()].length;
  if (!length) return texts.ask.correctionEmpty;
  return length > MOST ? texts.ask.correctionTooLong(length - MOST, MOST) : undefined;
}
