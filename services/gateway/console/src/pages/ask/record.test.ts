import assert from "node:assert/strict";
import { test } from "node:test";
import type { Turn } from "../../messages.ts";
import { anInteraction } from "./builders.ts";
import { cutOffBy, inOrder } from "./record.ts";

const FIRST: Turn[] = [
  { role: "user", content: "How hot?" },
  { role: "assistant", content: "80 degrees." },
];

test("a conversation is in the order in which it was held", () => {
  const recorded = [
    anInteraction("2", { started_at: "2026-03-01T12:05:00Z", question: "Why?", history: FIRST }),
    anInteraction("1", { started_at: "2026-03-01T12:00:00Z" }),
  ];
  assert.deepEqual(
    inOrder(recorded).map((each) => each.interaction_id),
    ["1", "2"],
  );
});

test("of a question that was asked again at the same place the last answer stands", () => {
  const recorded = [
    anInteraction("1", { started_at: "2026-03-01T12:00:00Z" }),
    anInteraction("2", { started_at: "2026-03-01T12:01:00Z" }),
    anInteraction("3", { started_at: "2026-03-01T12:02:00Z", history: FIRST }),
  ];
  assert.deepEqual(
    inOrder(recorded).map((each) => each.interaction_id),
    ["2", "3"],
  );
});

test("an answer on record says what cut it off", () => {
  const ended = (detail: string) => {
    const guardrails = [{ name: "complete", passed: false, detail }];
    return Object.values(cutOffBy(anInteraction("1", { guardrails })));
  };
  assert.deepEqual(ended("ended by length"), [true, false, false]);
  assert.deepEqual(ended("ended by content_filter"), [false, true, false]);
  assert.deepEqual(ended("ended by repetition"), [false, false, true]);
  assert.deepEqual(Object.values(cutOffBy(anInteraction("1", {}))), [false, false, false]);
});
