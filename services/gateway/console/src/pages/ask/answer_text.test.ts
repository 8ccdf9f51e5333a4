import assert from "node:assert/strict";
import { test } from "node:test";
import type { Citation } from "../../messages.ts";
import { lastWord, type View, viewOf } from "./answer_text.ts";
import { aCitation, aPassage } from "./builders.ts";

const PASSAGE = aPassage("p", "the quotation");
const OTHER = aPassage("other", "the quotation");

function citing(answer: string, of: string, passage = PASSAGE): Citation {
  return aCitation(answer, of, passage, "the quotation");
}

/** The tree on one line: `‹id›` is a mark, `{…}` is text that a citation lies over. */
function drawn(views: View[]): string {
  return views
    .map((view) => {
      if (view.kind === "text") {
        const text = view.citations.length ? `{${view.text}}` : view.text;
        const ids = view.ending.map((each) => each.chunk_id);
        return ids.length ? `${text}‹${ids}›` : text;
      }
      const href = view.href ? ` ${view.href}` : "";
      return `<${view.tag}${href}>${drawn(view.children)}</${view.tag}>`;
    })
    .join("");
}

test("a mark stands after the last character that it covers", () => {
  const answer = "Hot 🍵 is good. Cold is not.";
  assert.equal(
    drawn(viewOf(answer, [citing(answer, "Hot 🍵 is good.")])),
    "<p>{Hot 🍵 is good.}‹p› Cold is not.</p>",
  );
});

test("two passages behind one sentence have their marks side by side", () => {
  const answer = "Hot is good.";
  const both = [citing(answer, answer), citing(answer, answer, OTHER)];
  assert.equal(drawn(viewOf(answer, both)), "<p>{Hot is good.}‹p,other›</p>");
});

test("two citations of one passage that end together are one mark", () => {
  const answer = "Hot is good.";
  const both = [citing(answer, answer), citing(answer, "is good.")];
  assert.equal(drawn(viewOf(answer, both)), "<p>{Hot }{is good.}‹p›</p>");
});

test("a citation over Markdown keeps its place, and its end in the midst of syntax is before it", () => {
  const answer = "Brew at **80 degrees** and `wait`. Then drink.";
  assert.equal(
    drawn(viewOf(answer, [citing(answer, "Brew at **80 degrees**")])),
    "<p>{Brew at }<strong>{80 degrees}‹p›</strong> and <code>wait</code>. Then drink.</p>",
  );
});

test("backslashes and what stands before the lines of a list move nothing", () => {
  const answer = "- one \\* two\n  goes on. And *more*.\n- three";
  assert.equal(
    drawn(viewOf(answer, [citing(answer, "one \\* two\n  goes on.")])),
    "<ul><li><p>{one * two\ngoes on.}‹p› And <em>more</em>.</p></li><li><p>three</p></li></ul>",
  );
});

test("code, tables and rules are drawn", () => {
  const answer = "```\na < b\n```\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n---";
  assert.equal(
    drawn(viewOf(answer, [])),
    "<pre><code>a < b</code></pre>" +
      "<table><tr><th>x</th><th>y</th></tr><tr><td>1</td><td>2</td></tr></table><hr></hr>",
  );
});

test("HTML is text", () => {
  const answer = "<script>alert(1)</script>\n\nso <b>bold</b> &amp; <img src=x onerror=alert(1)>";
  assert.equal(
    drawn(viewOf(answer, [])),
    "<script>alert(1)</script><p>so <b>bold</b> & <img src=x onerror=alert(1)></p>",
  );
});

test("links lead to the web alone, and pictures are their words", () => {
  const answer =
    "[web](https://example.org) [script](javascript:alert(1)) [here](/v1) ![cup](https://x.org/a.png)";
  assert.equal(drawn(viewOf(answer, [])), "<p><a https://example.org>web</a> script here cup</p>");
});

test("a mark never stands inside a link", () => {
  const answer = "See [the page](https://example.org).";
  assert.equal(
    drawn(viewOf(answer, [citing(answer, "See [the")])),
    "<p>{See }<a https://example.org>{the} page</a>‹p›.</p>",
  );
});

test("the last word before a mark stays with it, unless it is long", () => {
  assert.deepEqual(lastWord("is good."), ["is ", "good."]);
  assert.deepEqual(lastWord("ends "), ["ends ", ""]);
  const address = "https://example.org/a/long/address";
  assert.deepEqual(lastWord(address), [address, ""]);
});

test("offsets past the end, or in no text at all, break nothing", () => {
  const beyond = { ...citing("x", "x"), start: 50, end: 90 };
  assert.equal(drawn(viewOf("short", [beyond])), "<p>short‹p›</p>");
  assert.equal(drawn(viewOf("", [beyond])), "");
  assert.equal(drawn(viewOf("[a]: https://example.org", [beyond])), "");
});

test("every citation of an answer has its mark, wherever its end falls", () => {
  const answer =
    "# A *b* \\# `c`\n\n> d **e _f_** g\n> h\n\n1. i\n2. [j](https://k.org) l\n\n| m |\n|---|\n| n |";
  const points = [...answer].length;
  for (let end = 1; end <= points; end += 1) {
    const marks = drawn(viewOf(answer, [{ ...citing("x", "x"), start: 0, end }])).match(/‹p›/g);
    assert.equal(marks?.length, 1, `an end at ${end}`);
  }
});
