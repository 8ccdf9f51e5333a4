import assert from "node:assert/strict";
import { test } from "node:test";
import { aPassage } from "./builders.ts";
import { missingWords } from "./missing.ts";

const PASSAGE = aPassage("p", "Green tea is brewed at 80 degrees.", {
  heading_path: ["Temperatures"],
});

test("words that no passage mentions are missing, in any form, once", () => {
  const question = "Which temperature has brewing of coffee, and should coffee boil?";
  assert.deepEqual(missingWords(question, [PASSAGE]), ["coffee"]);
});

test("titles and headings count as read", () => {
  assert.deepEqual(missingWords("Temperatures of degrees?", [PASSAGE]), []);
});

test("without passages nothing can be told", () => {
  assert.deepEqual(missingWords("What about coffee?", []), []);
});
