// What a question asks about that no passage mentions.
import type { Passage } from "../../messages.ts";

const MOST = 5;
/** Shorter ones rarely carry a question, and endings change: this much of a word has to be found. */
const SHORTEST = 5;
const ENDING = 3;
const QUESTION_WORDS = new Set(
  "about could every should their there these those where which while whose would".split(" "),
);

/** Words of the question that no passage holds, also in another form; none if there are no passages. */
export function missingWords(question: string, passages: Passage[]): string[] {
  if (!passages.length) return [];
  const read = passages
    .map(({ title, heading_path, text }) => [title, ...heading_path, text].join(" "))
    .join(" ")
    .toLowerCase();
  const words = question.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const missing = words.filter(
    (word) =>
      word.length >= SHORTEST &&
      !QUESTION_WORDS.has(word) &&
      !read.includes(word.slice(0, Math.max(SHORTEST - 1, word.length - ENDING))),
  );
  return [...new Set(missing)].slice(0, MOST);
}
