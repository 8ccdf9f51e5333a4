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
  interaction_id: string;
  conversation_id: string;
  started_at: string;
  completed_at: string;
  actor: string;
  question: string;
  history: Turn[];
  answer: string;
  outcome: Outcome;
  error: string;
  citations: Citation[];
  retrieved: Passage[];
  versions: Record<string, string>;
  latency_ms: Record<string, number>;
  feedback: InteractionFeedback[];
}

export interface DocumentStatus {
  document_id: string;
  state: string;
  title: string;
  media_type: string;
  source_uri: string;
}

export interface Status {
  services: { name: string; address: string; serving: boolean }[];
}
