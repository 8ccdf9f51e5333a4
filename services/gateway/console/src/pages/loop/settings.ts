// Settings of a training, as people write them: name=value, with spaces between.
import { texts } from "../../texts.ts";

/** By name; what comes later counts. Those that have no value are left out. */
export function settingsIn(text: string): Record<string, string> {
  return Object.fromEntries(
    wordsOf(text)
      .filter((word) => !isBroken(word))
      .map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]),
  );
}

/** Why they cannot be read, in words; undefined where they can. */
export function problemOf(text: string): string | undefined {
  const broken = wordsOf(text).find(isBroken);
  return broken === undefined ? undefined : texts.loop.train.settingsBroken(broken);
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word);
}

function isBroken(word: string): boolean {
  return !/^[^=]+=./.test(word);
}
