import assert from "node:assert/strict";
import { test } from "node:test";
import { match } from "./routes.ts";

test("an address fits the pattern that has its segments", () => {
  assert.deepEqual(match("/", "/"), {});
  assert.deepEqual(match("/conversations/:id", "/conversations/chat-1"), { id: "chat-1" });
  assert.equal(match("/conversations/:id", "/conversations"), undefined);
  assert.equal(match("/conversations/:id", "/conversations/a/b"), undefined);
  assert.equal(match("/", "/documents"), undefined);
});

test("a document's name may hold slashes, also encoded ones", () => {
  assert.deepEqual(match("/documents/*id", "/documents/docs/adr/0001.md"), {
    id: "docs/adr/0001.md",
  });
  assert.deepEqual(match("/documents/*id", "/documents/docs%2Fa%20b.md"), { id: "docs/a b.md" });
  assert.equal(match("/documents/*id", "/documents"), undefined);
});

test("what is no encoding stands for itself", () => {
  assert.deepEqual(match("/documents/*id", "/documents/100%.md"), { id: "100%.md" });
});
