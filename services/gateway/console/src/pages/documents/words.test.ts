import assert from "node:assert/strict";
import { test } from "node:test";
import type { DocumentEvent, DocumentStatus, Screening } from "../../messages.ts";
import {
  nameOf,
  notesOf,
  rejectionBesideScreening,
  screeningOf,
  standingOf,
  textName,
} from "./words.ts";

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

test("what was not read is told of the newest revision alone", () => {
  const event = (revision: number, notes: string[]) => ({ revision, notes }) as DocumentEvent;
  const timeline = [event(3, ["page 1 holds pictures"]), event(7, ["page 2 holds pictures"])];
  assert.deepEqual(notesOf({ revision: 7, timeline } as DocumentStatus), ["page 2 holds pictures"]);
  assert.deepEqual(notesOf({ revision: 8, timeline } as DocumentStatus), []);
});

test("what was seen is that of the newest revision, with the last decision", () => {
  const seen = (revision: number, verdict: string, held: boolean) =>
    ({
      revision,
      screening: { findings: [{ kind: "instructions" }], held, verdict, actor: "ann", reason: "" },
    }) as DocumentEvent;
  const timeline = [
    seen(2, "QUARANTINE_VERDICT_UNSPECIFIED", true),
    seen(3, "QUARANTINE_VERDICT_UNSPECIFIED", true),
    seen(3, "QUARANTINE_VERDICT_RELEASED", false),
    { revision: -1 } as DocumentEvent,
  ];
  const last = screeningOf({ revision: 3, timeline } as DocumentStatus);
  assert.equal(last, timeline[2]!.screening);
  assert.equal(screeningOf({ revision: 4, timeline } as DocumentStatus), undefined);
  assert.equal(standingOf(last!), "It is searchable. It was let in by ann.");
  const kept: Screening = {
    ...last!,
    held: true,
    verdict: "QUARANTINE_VERDICT_CONFIRMED",
    actor: "",
    reason: "a trap",
  };
  assert.equal(standingOf(kept), "No answer rests on it. It was kept out: a trap");
});

test("why a change was turned away stands beside what was seen in what is there", () => {
  const screening = { findings: [{ kind: "instructions" }] };
  const event = (state: string, revision: number) =>
    ({ state, revision, screening: revision === 3 ? screening : undefined }) as DocumentEvent;
  const shown = (state: string, ...timeline: DocumentEvent[]) =>
    rejectionBesideScreening({ state, revision: 3, timeline } as DocumentStatus);
  const rejected = event("DOCUMENT_STATE_REJECTED", 4);
  assert.equal(
    shown("DOCUMENT_STATE_REJECTED", event("DOCUMENT_STATE_INDEXED", 3), rejected),
    rejected,
  );
  const held = event("DOCUMENT_STATE_QUARANTINED", 3);
  assert.equal(shown("DOCUMENT_STATE_QUARANTINED", held), undefined);
});
