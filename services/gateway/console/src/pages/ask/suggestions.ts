// What one could ask first.
import type { DocumentStatus, InteractionSummary } from "../../messages.ts";
import { texts } from "../../texts.ts";

const MOST = 4;
const OWN_DOCUMENT = "docs/adr/0001-one-room-per-service-one-workspace.md";

/** Questions that were answered before, newest first; else some that Gyre's own documents answer,
 * which `make up` submits; else some about documents by their titles. */
export function suggestions(documents: DocumentStatus[], recent: InteractionSummary[]): string[] {
  const answered = recent.filter(({ outcome, question }) => outcome === "answered" && question);
  const questions = answered.map(({ question }) => question);
  const own = documents.some((each) => each.document_id === OWN_DOCUMENT);
  const about = documents.filter((each) => each.title).map((each) => texts.ask.about(each.title));
  const offered = [...questions, ...(own ? texts.ask.ownQuestions : questions.length ? [] : about)];
  return [...new Set(offered)].slice(0, MOST);
}
