import assert from "node:assert/strict";
import { test } from "node:test";
import type { DocumentStatus, InteractionSummary } from "../../messages.ts";
import { texts } from "../../texts.ts";
import { suggestions } from "./suggestions.ts";

const document = (document_id: string, title: string) => ({ document_id, title }) as DocumentStatus;
const aSummary = (question: string, outcome = "answered") =>
  ({ question, outcome }) as InteractionSummary;
const TEA = document("tea.md", "Tea");
const OWN = document("docs/adr/0001-one-room-per-service-one-workspace.md", "0001");

test("what was answered before comes first, once, and no more than four", () => {
  const recent = ["a?", "b?", "a?", "c?", "d?", "e?"].map((question) => aSummary(question));
  assert.deepEqual(suggestions([TEA], [aSummary("none?", "abstained"), ...recent]), [
    "a?",
    "b?",
    "c?",
    "d?",
  ]);
});

test("before anybody asked, documents are asked about by their titles", () => {
  const untitled = document("x", "");
  assert.deepEqual(suggestions([TEA, untitled], []), [texts.ask.about("Tea")]);
});

test("Gyre's own documents come with questions that they answer", () => {
  assert.deepEqual(suggestions([OWN], []), texts.ask.ownQuestions);
  assert.deepEqual(suggestions([OWN], [aSummary("a?")]), ["a?", ...texts.ask.ownQuestions]);
});
