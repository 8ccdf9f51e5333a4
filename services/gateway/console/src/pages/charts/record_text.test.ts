import assert from "node:assert/strict";
import { test } from "node:test";
import { recordText } from "./record_text.ts";

test("a record that is text is shown as it came", () => {
  assert.equal(recordText("<b>né</b>", "utf-8"), "<b>né</b>");
});

test("bytes that are no text are named, and the letters between them stay", () => {
  const content = Buffer.from([0xff, 0x00, 0x41, 0x0a, 0x7f]).toString("base64");
  assert.equal(recordText(content, "base64"), "\\xff\\x00A\n\\x7f");
});
