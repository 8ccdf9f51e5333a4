// Messages for tests, with only what matters to them.
import type { Citation, Interaction, Passage } from "../../messages.ts";

export function aPassage(chunk_id: string, text: string, more: Partial<Passage> = {}): Passage {
  const place = { document_id: "tea.md", title: "Tea", heading_path: [], source_uri: "" };
  return { chunk_id, text, ...place, rank: 1, explored: false, ...more };
}

/** Cites `quote` of the passage for the characters `of` of the answer. */
export function aCitation(answer: string, of: string, passage: Passage, quote: string): Citation {
  const [start, end] = span(answer, of);
  const [chunk_start, chunk_end] = span(passage.text, quote);
  const { chunk_id, document_id, title } = passage;
  return { chunk_id, document_id, title, start, end, chunk_start, chunk_end };
}

export function anInteraction(id: string, more: Partial<Interaction>): Interaction {
  return {
    tenant: "default",
    interaction_id: id,
    conversation_id: "c1",
    trace_id: "",
    started_at: "2026-03-01T12:00:00Z",
    completed_at: "2026-03-01T12:00:01Z",
    actor: "",
    acl: [],
    question: "How hot?",
    history: [],
    answer: "80 degrees.",
    outcome: "answered",
    error: "",
    citations: [],
    unsupported_citations: [],
    prompt: "",
    prompt_version: "",
    retrieved: [],
    versions: {},
    arms: {},
    fallbacks: [],
    guardrails: [],
    prompt_tokens: 0,
    completion_tokens: 0,
    tokens_estimated: false,
    cost_usd: 0,
    latency_ms: {},
    verdicts: [],
    feedback: [],
    ...more,
  };
}

/** In code points, as the gateway counts. */
function span(text: string, part: string): [number, number] {
  const at = text.indexOf(part);
  if (at < 0) throw new Error(`${JSON.stringify(part)} is not in ${JSON.stringify(text)}`);
  const start = [...text.slice(0, at)].length;
  return [start, start + [...part].length];
}
