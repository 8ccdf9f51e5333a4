import assert from "node:assert/strict";
import { test } from "node:test";
import type { DocumentEvent } from "../../messages.ts";
import { stagesOf } from "./stages.ts";

function at(seconds: number): string {
  return `2026-03-02T09:00:0${seconds}Z`;
}

function event(fields: Partial<DocumentEvent> = {}): DocumentEvent {
  return {
    state: "DOCUMENT_STATE_INDEXED",
    submission_id: "s",
    revision: 1,
    submitted_at: at(0),
    happened_at: at(6),
    stage: "",
    code: "",
    detail: "",
    notes: [],
    ...fields,
  };
}

test("each stage has its time, and how long it took since the one before", () => {
  assert.deepEqual(stagesOf(event({ accepted_at: at(1), chunked_at: at(3) })), [
    { name: "submitted", at: at(0), took: undefined, failed: false },
    { name: "accepted", at: at(1), took: 1000, failed: false },
    { name: "chunked", at: at(3), took: 2000, failed: false },
    { name: "DOCUMENT_STATE_INDEXED", at: at(6), took: 3000, failed: false },
  ]);
});

test("a rejection ends with the stage that failed", () => {
  const rejected = {
    state: "DOCUMENT_STATE_REJECTED",
    accepted_at: at(1),
    stage: "parse",
  } as const;
  const names = stagesOf(event(rejected)).map(({ name, failed }) => [name, failed]);
  assert.deepEqual(names, [
    ["submitted", false],
    ["accepted", false],
    ["parse", true],
  ]);
});

test("what happened before times of stages were kept has its beginning and its end", () => {
  const names = stagesOf(event({ state: "DOCUMENT_STATE_DELETED" })).map(({ name }) => name);
  assert.deepEqual(names, ["submitted", "DOCUMENT_STATE_DELETED"]);
});

test("a sender whose clock is ahead makes no time negative", () => {
  assert.equal(stagesOf(event({ submitted_at: at(7) }))[1]?.took, undefined);
});
