import assert from "node:assert/strict";
import { test } from "node:test";
import type { SourceKind, Sync } from "../../messages.ts";
import { countsOf, draftOf, isComplete, isSwitch, nameProblem } from "./drafts.ts";

const FOLDER: SourceKind = {
  kind: "folder",
  settings: [
    { name: "path", description: "Absolute.", default: "", required: true },
    { name: "include", description: "Only such files.", default: "", required: false },
    { name: "watch", description: "At once.", default: "true", required: false },
  ],
};

test("a name is of lower-case letters, digits and dashes", () => {
  for (const name of ["", "a", "hand-book2", "9"]) assert.equal(nameProblem(name), undefined);
  for (const name of ["-a", "Hand", "a b", "a/b", "a".repeat(64)]) {
    assert.ok(nameProblem(name));
  }
});

test("what must be given is waited for", () => {
  assert.equal(isComplete("shelf", undefined, {}), false);
  assert.equal(isComplete("shelf", FOLDER, { path: " " }), false);
  assert.equal(isComplete("", FOLDER, { path: "/srv" }), false);
  assert.equal(isComplete("shelf", FOLDER, { path: "/srv" }), true);
});

test("what was written for another kind, or not at all, is not sent", () => {
  const values = { path: " /srv ", include: "", url: "https://example.com", watch: "false" };
  assert.deepEqual(draftOf(FOLDER, values, " 0 3 * * * ", "staff, ,staff"), {
    kind: "folder",
    settings: { path: "/srv", watch: "false" },
    schedule: "0 3 * * *",
    acl: ["staff"],
  });
});

test("a setting that is on or off is a switch", () => {
  assert.deepEqual(FOLDER.settings.map(isSwitch), [false, false, true]);
});

test("what did not happen is not counted", () => {
  const none = { changed: 0, unchanged: 0, deleted: 0, refused: 0, unreadable: 0 };
  const sync: Sync = { began_at: "", outcome: "", added: 1200, problems: [], error: "", ...none };
  assert.equal(countsOf(sync), "1,200 added");
  assert.equal(countsOf({ ...sync, added: 0 }), "");
});
