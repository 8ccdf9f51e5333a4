// What is said of documents.
import type {
  DocumentEvent,
  DocumentState,
  DocumentStatus,
  DuplicateDocument,
  Screening,
} from "../../messages.ts";
import { texts } from "../../texts.ts";

/** A reason to turn a document away, in plain words. */
export function reasonOf(code: string): string {
  return texts.documents.reasons[code] ?? texts.documents.unknownReason;
}

/** Whether a submission of this state is not searchable, for a reason. */
export function isKeptOut(state: DocumentState): boolean {
  return state === "DOCUMENT_STATE_REJECTED" || state === "DOCUMENT_STATE_QUARANTINED";
}

/** Why the newest submission was turned away or is held, if it is. */
export function rejectionOf({ state, timeline }: DocumentStatus): DocumentEvent | undefined {
  if (!isKeptOut(state)) return undefined;
  return timeline.findLast((event) => event.state === state);
}

/** What kept it out, where its screening does not say so itself: that may be an older revision's. */
export function rejectionBesideScreening(document: DocumentStatus): DocumentEvent | undefined {
  const isSaid = screeningOf(document) && document.state === "DOCUMENT_STATE_QUARANTINED";
  return isSaid ? undefined : rejectionOf(document);
}

/** What of its newest revision was not read. */
export function notesOf({ revision, timeline }: DocumentStatus): string[] {
  return timeline.filter((event) => event.revision === revision).flatMap(({ notes }) => notes);
}

/** What was last seen in its newest revision that somebody should look at. */
export function screeningOf({ revision, timeline }: DocumentStatus): Screening | undefined {
  const own = timeline.filter((event) => event.revision === revision);
  return own.findLast(({ screening }) => screening?.findings.length)?.screening;
}

/** Whether it is searched, and what was decided by whom. */
export function standingOf({ held, verdict, actor, reason }: Screening): string {
  const { standing, decided, by } = texts.documents.quarantine;
  const words = [standing[held ? "held" : "searchable"]];
  if (verdict in decided)
    words.push(decided[verdict]! + (actor ? by(actor) : "") + (reason ? `: ${reason}` : "."));
  return words.join(" ");
}

const languageNames = new Intl.DisplayNames("en", { type: "language" });

/** What it is written in, as `German`; empty where that is not known. */
export function languageOf({ language }: DocumentStatus): string {
  return language && language !== "und" ? (languageNames.of(language) ?? language) : "";
}

/** What people call it. */
export function nameOf({ title, document_id }: { title: string; document_id: string }): string {
  return title || document_id;
}

/** How much another document is the same. */
export function likenessOf({ same_content, similarity, newer }: DuplicateDocument): string {
  const { sameContent, alike, isNewer } = texts.documents;
  return [same_content ? sameContent : alike(similarity), ...(newer ? [isNewer] : [])].join(", ");
}

/** The document_id of a text with this title, such as `texts/green-tea.md`; empty where the title
 * holds no letter and no digit. */
export function textName(title: string): string {
  const words = title
    .normalize("NFC")
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu);
  return words ? `texts/${words.join("-")}.md` : "";
}
