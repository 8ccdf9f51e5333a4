// What one could ask first.
import type { DocumentStatus, InteractionSummary } from "../../messages.ts";
import { texts } from "../../texts.ts";

const MOST = 4;

/** Questions that were answered before, newest first; else some about documents by their titles. */
export function suggestions(documents: DocumentStatus[], recent: InteractionSummary[]): string[] {
  const answered = recent.filter(({ outcome, question }) => outcome === "answered" && question);
  const questions = new Set(answered.map(({ question }) => question));
  if (!questions.size) {
    const titles = documents.map(({ title }) => title).filter(Boolean);
    for (const title of new Set(titles)) questions.add(texts.ask.about(title));
  }
  return [...questions].slice(0, MOST);
}
