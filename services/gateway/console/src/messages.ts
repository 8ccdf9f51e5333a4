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
  /** Where it stands in the original: page 4, slide 2, sheet Prices. Empty where that has none, or
   * on record from before positions were kept. */
  position?: string;
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
  /** Which of `citations`, counted from 0, rest on the model's word alone. */
  unsupported_citations: number[];
  passages: Passage[];
  versions: Record<string, string>;
  latency_ms: Record<string, number>;
  ignored: string[];
  /** The bound on its length ended it. */
  reached_max_tokens: boolean;
  /** The model server's content filter ended it. */
  content_filtered: boolean;
  /** The model said the same again and again, and was cut off. */
  repeated_itself: boolean;
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
  /** Which of `citations`, counted from 0, rest on the model's word alone. */
  unsupported_citations: number[];
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
  | "DOCUMENT_STATE_DELETED"
  | "DOCUMENT_STATE_QUARANTINED";

/** One thing that happened to a document. */
export interface DocumentEvent {
  state: DocumentState;
  submission_id: string;
  revision: number;
  submitted_at: string;
  accepted_at?: string;
  chunked_at?: string;
  happened_at: string;
  /** Of a rejection: accept, parse or chunk; else quarantine, or empty. */
  stage: string;
  code: string;
  detail: string;
  /** What of the newest revision was not read, for people. */
  notes: string[];
  /** What was seen in the newest revision that somebody should look at. */
  screening?: Screening;
}

export interface Screening {
  findings: Finding[];
  /** It is not searchable; otherwise it is, and is marked. */
  held: boolean;
  verdict:
    | "QUARANTINE_VERDICT_UNSPECIFIED"
    | "QUARANTINE_VERDICT_RELEASED"
    | "QUARANTINE_VERDICT_CONFIRMED";
  actor: string;
  reason: string;
}

export interface Finding {
  kind: string;
  /** What was seen, in words. */
  rule: string;
  sentence: string;
  /** Where it stands: page 4, line 12, title. */
  position: string;
}

/** What somebody decides of a document in which something was seen. */
export type QuarantineVerdict = "released" | "confirmed";

export interface DocumentStatus {
  document_id: string;
  state: DocumentState;
  title: string;
  media_type: string;
  /** Such as de; und where it cannot be told, empty where nobody has tried yet. */
  language: string;
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
  /** The most alike first; of a list only where they were asked for. */
  duplicates: DuplicateDocument[];
}

/** Another document with the same content, or nearly the same text. */
export interface DuplicateDocument {
  document_id: string;
  title: string;
  same_content: boolean;
  similarity: number;
  newer: boolean;
}

export interface DocumentFilters {
  search?: string;
  state?: string;
  /** Only these, at most 100. */
  document_id?: string[];
  duplicates?: boolean;
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

export type SourceState =
  | "SOURCE_STATE_UNSPECIFIED"
  | "SOURCE_STATE_NEW"
  | "SOURCE_STATE_SYNCING"
  | "SOURCE_STATE_SYNCED"
  | "SOURCE_STATE_FAILED"
  | "SOURCE_STATE_PAUSED"
  | "SOURCE_STATE_REMOVING";

/** A place that documents are fetched from, as somebody describes it. */
export interface SourceDraft {
  kind: string;
  settings: Record<string, string>;
  /** A cron expression in UTC; empty for none. */
  schedule: string;
  /** Groups that may read its documents; none for everyone of the tenant. */
  acl: string[];
}

export interface SourceStatus {
  source: SourceDraft & { name: string };
  state: SourceState;
  documents: number;
  /** The one under way. */
  sync?: Sync;
  /** The last one that ended. */
  last_sync?: Sync;
  /** By the schedule. */
  next_sync_at?: string;
}

/** One look at all that a source has. */
export interface Sync {
  began_at: string;
  ended_at?: string;
  /** succeeded, incomplete, failed or stopped; empty while it goes on. */
  outcome: string;
  added: number;
  changed: number;
  unchanged: number;
  deleted: number;
  refused: number;
  unreadable: number;
  /** The first of what was refused or unreadable. */
  problems: { name: string; detail: string }[];
  /** Of the whole: what is wrong, and what to do. */
  error: string;
}

/** What a source may be. */
export interface SourceKind {
  kind: string;
  settings: SourceSetting[];
}

export interface SourceSetting {
  name: string;
  description: string;
  default: string;
  required: boolean;
}

export interface Status {
  services: ServiceStatus[];
}

export interface ServiceStatus {
  name: string;
  address: string;
  serving: boolean;
  /** Records that it has not handled yet; null where it consumes none, or does not answer. */
  lag: number | null;
  /** Why it is not ready, or why events do not flow. */
  problems: string[];
}

export type RunState =
  "running" | "released" | "passed" | "refused" | "failed" | "interrupted" | "cancelled";

/** A training run. */
export interface Run {
  run_id: string;
  /** `*` where it trains the default of all tenants. */
  tenant: string;
  recipe: string;
  role: string;
  profile: string;
  state: RunState;
  /** What it does; `step` of `steps`, 0 of 0 where a stage has none. */
  stage: string;
  step: number;
  steps: number;
  metrics: Record<string, number>;
  message: string;
  /** Those of its recipe that somebody set. */
  settings: Record<string, string>;
  /** Digest of what it learned from. */
  data_set: string;
  base: string;
  version: string;
  actor: string;
  reason: string;
  started_at: string;
  finished_at?: string;
  votes: number;
  last_vote_at?: string;
  verdict?: RunVerdict;
}

/** What questions that were kept back say of a run's version: its gate. */
export interface RunVerdict {
  /** What the numbers are, in words. */
  metric: string;
  /** What high and low numbers mean; empty in verdicts of before. */
  explanation: string;
  decision: "passed" | "refused" | "too small to tell";
  summary: string;
  reasons: string[];
  /** The first is the whole. */
  slices: Slice[];
}

/** `difference` is candidate less live, `low` to `high` its 95 % interval; missing where nothing
 * was measured. */
export interface Slice {
  name: string;
  examples: number;
  live?: number;
  candidate?: number;
  difference?: number;
  low?: number;
  high?: number;
}

export interface RunDraft {
  recipe?: string;
  profile?: string;
  hold?: boolean;
  settings?: Record<string, string>;
  /** Id of the one that goes on; it keeps what it was started with. */
  resume?: string;
  reason?: string;
}

export interface DataSet {
  digest: string;
  tenant: string;
  frozen_at: string;
  train_questions: number;
  gate_questions: number;
  expired_at?: string;
}

/** One version of a role. */
export interface Artifact {
  version: string;
  digest: string;
  uri: string;
  index: string;
  /** The version of another role that it belongs to; empty where it fits any. */
  fits: string;
  settings: Record<string, string>;
  registered_at: string;
  /** What speaks for it: run, data set, gate (passed or failed), origin (shipped) … */
  evidence: Record<string, string>;
}

/** What is live in one role. */
export interface Release {
  /** `*` for the default of all tenants. */
  tenant: string;
  role: string;
  generation: number;
  live: string;
  shadow: string;
  canary?: { version: string; share: number };
  artifacts: Artifact[];
  /** Versions that were live before, newest first. */
  history: string[];
  reason: string;
  actor: string;
  evidence: Record<string, string>;
  changed_at: string;
}

/** What a promotion or a rollback did: the release after it. */
export interface Change extends Release {
  /** The version of each other role that changed with it. */
  went_along: Record<string, string>;
}

export interface Promotion {
  version: string;
  /** Whose release: `*` for everybody's. */
  tenant: string;
  reason: string;
  override: boolean;
  /** The generation that was seen: refused where it is another by now. */
  generation: number;
}

export interface Rollback {
  /** Whose release: `*` for everybody's. */
  tenant: string;
  reason: string;
  generation: number;
}

export type SeriesView =
  | "daily_quality"
  | "daily_version_quality"
  | "version_quality"
  | "daily_latency"
  | "version_latency"
  | "cost"
  | "freshness"
  | "loop"
  | "waiting_votes"
  | "release_changes";

export interface SeriesPage<Row> extends Page<Row> {
  columns: { name: string; type: string; description: string }[];
}

/** A row of the view `waiting_votes`. */
export interface WaitingVotes {
  votes: number;
  /** Those that no run has learned from yet. */
  waiting: number;
  last_vote_at: string;
}

/** A row of the view `release_changes`. */
export interface ReleaseChange {
  tenant: string;
  role: string;
  generation: number;
  time: string;
  live: string;
  replaced: string;
  actor: string;
  reason: string;
  run_id: string;
  gate: string;
  overridden_by: string;
}

/** A row of the view `loop`: a version that training made and somebody released. */
export interface TrainedRelease {
  tenant: string;
  role: string;
  version: string;
  run_id: string;
  votes: number;
  released_at: string;
  lead_seconds: number | null;
  metric: string;
  gain: number | null;
  gain_low: number | null;
  gain_high: number | null;
  is_live: boolean;
}

/** What `daily_quality` and `version_quality` have in common. */
export interface Quality {
  interactions: number;
  answered: number;
  abstained: number;
  failed: number;
  groundedness: number | null;
  answer_relevance: number | null;
  context_precision: number | null;
  thumbs_up: number;
  thumbs_down: number;
  approval: number | null;
  p50_ms: number;
  p95_ms: number;
}

export interface DailyQuality extends Quality {
  day: string;
}

export interface DailyVersionQuality extends Quality {
  day: string;
  role: string;
  version: string;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
}

export interface VersionQuality extends Quality {
  role: string;
  version: string;
  first_used: string;
  last_used: string;
}

export interface DailyLatency {
  day: string;
  stage: string;
  interactions: number;
  p50_ms: number;
  p95_ms: number;
}

export interface VersionLatency {
  role: string;
  version: string;
  stage: string;
  interactions: number;
  p50_ms: number;
  p95_ms: number;
}

export interface DailyCost {
  day: string;
  generator: string;
  interactions: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
}

export interface Freshness {
  hour: string;
  documents: number;
  p50_seconds: number;
  p95_seconds: number;
}

/** How many wait for a decision, and since when the first of them. */
export interface DeadLetterTopic {
  topic: string;
  count: number;
  oldest_parked_at?: string;
}

export type LetterVerb = "replay" | "drop";

export interface ChosenLetters {
  offsets: number[];
  reason: string;
}

/** What became of a record that somebody decided on, and why it stays if it does. */
export interface DecidedLetter {
  offset: number;
  outcome: "replayed" | "dropped" | "already" | "superseded" | "gone" | "refused";
  detail: string;
}

export type Encoding = "utf-8" | "base64";

/** A record that could not be handled; its key and value in base64 where they are no text. */
export interface DeadLetter {
  offset: number;
  parked_at: string;
  key?: string;
  key_encoding?: Encoding;
  value?: string;
  value_encoding?: Encoding;
  value_bytes: number;
  decision?: {
    verdict: "replayed" | "dropped";
    actor: string;
    reason: string;
    decided_at: string;
  };
  cause?: {
    kind: string;
    error: string;
    message: string;
    topic: string;
    partition: number;
    offset: number;
    attempts: number;
    group: string;
  };
}
