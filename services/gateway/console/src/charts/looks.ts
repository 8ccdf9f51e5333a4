// How series are told from one another without their colours.
import {
  symbol,
  symbolCircle,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
} from "d3-shape";
import type { Look } from "./series.ts";

export const DASHES: Record<Look, string> = {
  0: "none",
  1: "6 3",
  2: "2 3",
  3: "9 3 2 3",
  4: "12 4",
  5: "4 2 1 2",
};

const SYMBOLS = {
  0: symbolCircle,
  1: symbolSquare,
  2: symbolTriangle,
  3: symbolDiamond,
  4: symbolWye,
  5: symbolStar,
};

/** The path of its dot around (0, 0). */
export function dot(look: Look): string {
  return symbol(SYMBOLS[look], look === 0 ? 34 : 42)()!;
}
