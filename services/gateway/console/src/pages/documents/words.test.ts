import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOf, textName } from "./words.ts";

test("a text is kept under the words of its title, in any script", () => {
  assert.equal(textName("  Green tea: how hot? "), "texts/green-tea-how-hot.md");
  assert.equal(textName("Grüner Tee / 緑茶"), "texts/grüner-tee-緑茶.md");
  assert.equal(textName("../../etc"), "texts/etc.md");
  assert.equal(textName(" … "), "");
});

test("a document without a title goes by its name", () => {
  assert.equal(nameOf({ title: "Tea", document_id: "tea.md" }), "Tea");
  assert.equal(nameOf({ title: "", document_id: "tea.md" }), "tea.md");
});
