import assert from "node:assert/strict";
import { test } from "node:test";
import { aCitation, aPassage } from "./builders.ts";
import { headingsOf, placeOf, sourcesOf, stretches, unitsOf, withSources } from "./quotes.ts";

const ANSWER = "🍵 is best at 80 degrees. It steeps two minutes.";
const HOT = aPassage("hot", "Of 🍵: green tea is best at 80 degrees. Black tea is not.");
const LONG = aPassage("long", "It steeps two minutes.", { heading_path: ["Time"] });
const FIRST = aCitation(
  ANSWER,
  "🍵 is best at 80 degrees.",
  HOT,
  "green tea is best at 80 degrees.",
);
const SECOND = aCitation(ANSWER, "It steeps two minutes.", LONG, "It steeps two minutes.");

test("offsets count code points, and what lies past the end is the end", () => {
  const units = unitsOf("a🍵b");
  assert.deepEqual([0, 1, 2, 3, 9].map(units), [0, 1, 3, 4, 4]);
});

test("sources are numbered in the order in which the answer rests on them", () => {
  const sources = sourcesOf([SECOND, FIRST], [LONG, HOT]);
  assert.deepEqual(
    sources.map(({ number, passage }) => [number, passage.chunk_id]),
    [
      [1, "hot"],
      [2, "long"],
    ],
  );
});

test("a citation of a passage that did not come along has no number", () => {
  assert.deepEqual(sourcesOf([FIRST], []), []);
});

test("the headings over a passage do not begin with its document's title", () => {
  assert.deepEqual(headingsOf(aPassage("p", "", { heading_path: ["Tea", "Green"] })), ["Green"]);
  assert.deepEqual(headingsOf(aPassage("p", "", { heading_path: ["Time"] })), ["Time"]);
});

test("a place ends with the page", () => {
  const passage = aPassage("p", "", { heading_path: ["Tea", "Green", "Hot"], position: "page 4" });
  assert.equal(placeOf(passage), "Green › Hot, page 4");
  assert.equal(placeOf(passage, { innermost: true }), "Hot, page 4");
  assert.equal(placeOf(aPassage("p", "", { position: "slide 2" })), "tea.md, slide 2");
  assert.equal(placeOf(aPassage("p", "")), "tea.md");
});

test("a passage is cut where its quotation begins and ends", () => {
  assert.deepEqual(
    stretches(HOT, [FIRST, SECOND]).map(({ text, citations }) => [text, citations.length]),
    [
      ["Of 🍵: ", 0],
      ["green tea is best at 80 degrees.", 1],
      [" Black tea is not.", 0],
    ],
  );
});

test("quotations that overlap keep their own", () => {
  const passage = aPassage("p", "one two three");
  const both = [aCitation("x", "x", passage, "one two"), aCitation("x", "x", passage, "two three")];
  assert.deepEqual(
    stretches(passage, both).map(({ text, citations }) => [text, citations.length]),
    [
      ["one ", 1],
      ["two", 2],
      [" three", 1],
    ],
  );
});

test("a passage without quotations is one stretch", () => {
  assert.deepEqual(stretches(LONG, []), [{ text: LONG.text, citations: [] }]);
});

test("an answer is copied with its numbers and a list of its sources", () => {
  const copied = withSources(ANSWER, [FIRST, SECOND], sourcesOf([FIRST, SECOND], [HOT, LONG]));
  assert.equal(
    copied,
    "🍵 is best at 80 degrees.[1] It steeps two minutes.[2]\n\n[1] Tea\n[2] Tea › Time",
  );
});
