// What the gateway sends: the messages of proto/ in JSON, by the names that they have there.

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next: string | null;
}

export interface Session {
  needs_key: boolean;
  signed_in: boolean;
  actor: string;
  tenant: string;
  groups: string[];
  /** Those to choose from; any may be named where there are none. */
  tenants: string[];
  /** Its key says who one is: name and groups cannot be changed. */
  bound: boolean;
}

export interface SessionChange {
  key?: string;
  tenant?: string;
  groups?: string[];
}

export type Outcome = "answered" | "abstained" | "error" | "cancelled";

export interface Turn {
  role: "user" | "assistant";
  content: string;
}

/** Characters start..end of the answer rest on characters chunk_start..chunk_end of the chunk; all
 * are counted in Unicode code points. */
export interface Citation {
  chunk_id: string;
  document_id: string;
  title: string;
  start: number;
  end: number;
  chunk_start: number;
  chunk_end: number;
}

export interface Passage {
  chunk_id: string;
  document_id: string;
  title: string;
  heading_path: string[];
  text: string;
  source_uri: string;
  rank: number;
  explored: boolean;
}

/** A passage as it is on record. */
export interface RetrievedPassage extends Passage {
  /** By stage; one that did not find it is missing. */
  scores: Record<string, number>;
  /** It fitted into the prompt. */
  used: boolean;
  propensity: number;
}

export interface Guardrail {
  name: string;
  passed: boolean;
  detail: string;
}

export interface Verdict {
  judge_version: string;
  metric: string;
  /** Missing where the metric does not apply. */
  value?: number;
  rationale: string;
  judged_at: string;
}

/** What an answer rests on: `gyre` in the last chunk of a stream. */
export interface AnswerDetails {
  interaction_id: string;
  conversation_id: string;
  outcome: Outcome;
  citations: Citation[];
  passages: Passage[];
  versions: Record<string, string>;
  latency_ms: Record<string, number>;
  ignored: string[];
}

/** What an answer may rest on; empty for anything. */
export interface AnswerFilters {
  document_ids: string[];
}

export interface FeedbackDraft {
  interaction_id: string;
  value?: Vote;
  chunk_id?: string;
  comment?: string;
  correction?: string;
}

export type Vote = "up" | "down";

export interface InteractionSummary {
  interaction_id: string;
  conversation_id: string;
  completed_at: string;
  error: string;
  question: string;
  answer: string;
  outcome: Outcome;
  versions: Record<string, string>;
  total_ms?: number;
  groundedness?: number;
  answer_relevance?: number;
  context_precision?: number;
  thumbs_up: number;
  thumbs_down: number;
  rating?: number;
}

export interface InteractionFilters {
  search?: string;
  outcome?: string;
  version?: string;
  vote?: string;
  conversation_id?: string;
  since?: string;
  until?: string;
}

export interface InteractionFeedback {
  feedback_id: string;
  received_at: string;
  kind: "thumb" | "rating" | "comment" | "correction" | "chunk" | "implicit";
  value: string;
  target: string;
  comment: string;
  actor: string;
}

export interface Interaction {
  tenant: string;
  interaction_id: string;
  conversation_id: string;
  trace_id: string;
  started_at: string;
  completed_at: string;
  actor: string;
  acl: string[];
  question: string;
  history: Turn[];
  answer: string;
  outcome: Outcome;
  error: string;
  citations: Citation[];
  prompt: string;
  prompt_version: string;
  retrieved: RetrievedPassage[];
  versions: Record<string, string>;
  arms: Record<string, string>;
  fallbacks: string[];
  guardrails: Guardrail[];
  prompt_tokens: number;
  completion_tokens: number;
  tokens_estimated: boolean;
  cost_usd: number;
  latency_ms: Record<string, number>;
  verdicts: Verdict[];
  /** Oldest first. */
  feedback: InteractionFeedback[];
}

export type DocumentState =
  | "DOCUMENT_STATE_UNSPECIFIED"
  | "DOCUMENT_STATE_INDEXED"
  | "DOCUMENT_STATE_REJECTED"
  | "DOCUMENT_STATE_DELETED";

/** One thing that happened to a document. */
export interface DocumentEvent {
  state: DocumentState;
  submission_id: string;
  revision: number;
  submitted_at: string;
  happened_at: string;
  /** Of a rejection. */
  code: string;
  detail: string;
}

export interface DocumentStatus {
  document_id: string;
  state: DocumentState;
  title: string;
  media_type: string;
  source_uri: string;
  metadata: Record<string, string>;
  acl: string[];
  revision: number;
  content_digest: string;
  chunk_count: number;
  index: string;
  encoder_version: string;
  /** Oldest first. */
  timeline: DocumentEvent[];
}

export interface DocumentFilters {
  search?: string;
  state?: string;
  /** Only these, at most 100. */
  document_id?: string[];
}

/** A file that is about to become a document. */
export interface DocumentDraft {
  document_id: string;
  file: Blob;
  title: string;
  /** Groups that may read it; none for everyone of the tenant. */
  acl: string[];
}

export interface Submission {
  document_id: string;
  submission_id: string;
}

export interface Status {
  services: { name: string; address: string; serving: boolean }[];
}
