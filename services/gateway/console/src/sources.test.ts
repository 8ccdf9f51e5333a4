// Rules that hold for every source file.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const files = globSync("src/**/*.{svelte,ts}").filter((file) => !file.endsWith(".test.ts"));

test("nothing is drawn as HTML: what documents and questions hold stays text", () => {
  assert.ok(files.length > 20);
  for (const file of files) {
    const raw = /\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write/;
    assert.doesNotMatch(readFileSync(file, "utf8"), raw, file);
  }
});

test("no element has a style of its own, which the content-security policy would refuse", () => {
  for (const file of [...files, "index.html"]) {
    assert.doesNotMatch(readFileSync(file, "utf8"), /<[a-z][^>]*\sstyle=/, file);
  }
  assert.doesNotMatch(readFileSync("index.html", "utf8"), /<style|<script(?![^>]*\ssrc=)/);
});
