// The one way to the gateway: every request, its types, and what its errors become.
import { type AnswerPiece, readAnswer } from "./answer_stream.ts";
import { connection } from "./connection.svelte.ts";
import { ApiError, isAbort } from "./errors.ts";
import { readRun } from "./event_stream.ts";
import type {
  AnswerFilters,
  Change,
  ChosenLetters,
  DataSet,
  DeadLetter,
  DeadLetterTopic,
  DecidedLetter,
  DocumentDraft,
  DocumentFilters,
  DocumentStatus,
  FeedbackDraft,
  Interaction,
  InteractionFilters,
  InteractionSummary,
  LetterVerb,
  Page,
  Promotion,
  QuarantineVerdict,
  Release,
  Rollback,
  Run,
  RunDraft,
  SeriesPage,
  SeriesView,
  Session,
  SessionChange,
  SourceDraft,
  SourceKind,
  SourceStatus,
  Status,
  Submission,
  Turn,
} from "./messages.ts";
import { texts } from "./texts.ts";

interface Part {
  limit?: number;
  after?: string;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

const LARGEST_PAGE = 1000;

export const api = {
  session: () => json<Session>("GET", "/session"),
  changeSession: (change: SessionChange) => json<Session>("PUT", "/session", change),
  signOut: () => json<Session>("DELETE", "/session"),

  /** Raises ApiError, also in the middle; an AbortError once `signal` says so. */
  ask,
  sendFeedback: (draft: FeedbackDraft) => json<object>("POST", "/v1/feedback", draft),

  interactions: (query: InteractionFilters & Part) =>
    json<Page<InteractionSummary>>("GET", address("/v1/interactions", query)),
  interaction: (id: string) =>
    json<Interaction>("GET", `/v1/interactions/${encodeURIComponent(id)}`),

  documents: (query: DocumentFilters & Part) =>
    json<Page<DocumentStatus>>("GET", address("/v1/documents", query)),
  document: (id: string) => json<DocumentStatus>("GET", `/v1/documents/${encodeURIComponent(id)}`),
  deleteDocument: (id: string) =>
    json<Submission>("DELETE", `/v1/documents/${encodeURIComponent(id)}`),
  decideQuarantine: (id: string, verdict: QuarantineVerdict, reason: string) =>
    json<object>("POST", `/v1/documents/${encodeURIComponent(id)}/quarantine`, { verdict, reason }),

  /** Raises ApiError; an AbortError once `signal` says so. */
  upload,

  sources: () => json<Page<SourceStatus>>("GET", "/v1/sources"),
  sourceKinds: () => json<Page<SourceKind>>("GET", "/v1/source-kinds"),
  putSource: (name: string, draft: SourceDraft) =>
    json<SourceStatus>("PUT", at("/v1/sources", name), draft),
  syncSource: (name: string) => json<object>("POST", at("/v1/sources", name, "sync")),
  pauseSource: (name: string) => json<object>("POST", at("/v1/sources", name, "pause")),
  resumeSource: (name: string) => json<object>("POST", at("/v1/sources", name, "resume")),
  removeSource: (name: string, keepDocuments: boolean) =>
    json<object>(
      "DELETE",
      address(at("/v1/sources", name), { keep_documents: keepDocuments || undefined }),
    ),

  status: () => json<Status>("GET", "/v1/status"),

  runs: () => json<Page<Run>>("GET", "/v1/runs"),
  run: (id: string) => json<Run>("GET", at("/v1/runs", id)),
  startRun: (draft: RunDraft) => json<Run>("POST", "/v1/runs", draft),
  cancelRun: (id: string) => json<Run>("POST", at("/v1/runs", id, "cancel"), {}),
  /** The run as it is, then after each change, until it has ended. Raises as `ask`. */
  followRun,
  dataSets: () => json<Page<DataSet>>("GET", "/v1/datasets"),

  releases: () => json<Page<Release>>("GET", "/v1/releases"),
  promote: (role: string, body: Promotion) =>
    json<Change>("POST", at("/v1/releases", role, "promote"), body),
  rollBack: (role: string, body: Rollback) =>
    json<Change>("POST", at("/v1/releases", role, "rollback"), body),

  /** Every row of a view, newest first, from `since` (RFC 3339) on. */
  series,
  deadLetters: () => json<Page<DeadLetterTopic>>("GET", "/v1/dead-letters"),
  /** Those that wait for a decision, or all. */
  deadLettersOf: (topic: string, limit: number, decided: boolean) =>
    json<Page<DeadLetter>>(
      "GET",
      address(at("/v1/dead-letters", topic), { limit, decided: decided || undefined }),
    ),
  decideDeadLetters: (topic: string, verb: LetterVerb, chosen: ChosenLetters) =>
    json<Page<DecidedLetter>>("POST", at("/v1/dead-letters", topic, verb), chosen),
};

async function* ask(
  question: { messages: Turn[]; conversation_id: string; filters: AnswerFilters },
  signal: AbortSignal,
): AsyncGenerator<AnswerPiece> {
  const body = { model: "gyre", stream: true, ...question };
  const response = await send("POST", "/v1/chat/completions", body, signal);
  yield* arriving(readAnswer(response.body!));
}

/** What a stream says; where it breaks off, it is seen how the gateway is. */
async function* arriving<T>(stream: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* stream;
  } catch (error) {
    if (!isAbort(error)) void connection.check();
    throw error;
  }
}

/** Sends a document; `onprogress` hears which share of it is sent. A retry with the same key is the
 * same submission. */
async function upload(
  draft: DocumentDraft,
  key: string,
  onprogress: (share: number) => void,
  signal: AbortSignal,
): Promise<Submission> {
  const form = new FormData();
  form.append("document_id", draft.document_id);
  if (draft.title) form.append("title", draft.title);
  for (const group of draft.acl) form.append("acl", group);
  form.append("file", draft.file, draft.document_id);
  const request = new XMLHttpRequest(); // fetch does not tell how much it has sent
  request.open("POST", "/v1/documents");
  request.setRequestHeader("gyre-console", "1");
  request.setRequestHeader("idempotency-key", key);
  request.upload.onprogress = ({ loaded, total }) => onprogress(total ? loaded / total : 1);
  const ended = new Promise((resolve) => (request.onloadend = resolve));
  const abort = () => request.abort();
  signal.addEventListener("abort", abort);
  if (!signal.aborted) request.send(form);
  if (!signal.aborted) await ended;
  signal.removeEventListener("abort", abort);
  signal.throwIfAborted();
  if (request.status === 0) {
    await draft.file
      .slice(0, 1)
      .arrayBuffer()
      .catch(() => {
        throw new ApiError(texts.documents.unreadable, 400);
      });
    throw connection.lost();
  }
  const reply: unknown = parsed(request.responseText);
  if (request.status >= 400) {
    throw refusal(reply, request.status, request.getResponseHeader("x-request-id"));
  }
  return (reply as Page<Submission>).data[0]!;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function* followRun(id: string, signal: AbortSignal): AsyncGenerator<Run> {
  const response = await send("GET", at("/v1/runs", id, "events"), undefined, signal);
  yield* arriving(readRun(response.body!));
}

async function series<Row>(view: SeriesView, since?: string): Promise<Row[]> {
  const rows: Row[] = [];
  let after: string | undefined;
  do {
    const query = { since, after, limit: LARGEST_PAGE };
    const page = await json<SeriesPage<Row>>("GET", address(at("/v1/series", view), query));
    rows.push(...page.data);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return rows;
}

async function json<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const response = await send(method, path, body);
  return (await response.json()) as T;
}

async function send(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const headers = new Headers();
  if (method !== "GET") headers.set("gyre-console", "1");
  if (body !== undefined) headers.set("content-type", "application/json");
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal: signal ?? null,
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch (error) {
    throw isAbort(error) ? error : connection.lost();
  }
  if (response.ok) return response;
  const problem: unknown = await response.json().catch(() => null);
  throw refusal(problem, response.status, response.headers.get("x-request-id"));
}

function refusal(problem: unknown, status: number, requestId: string | null): ApiError {
  const error = ApiError.from(problem, status, requestId ?? "");
  connection.refused(error);
  return error;
}

function address(path: string, query: object): string {
  const search = new URLSearchParams();
  for (const [name, values] of Object.entries(query)) {
    for (const value of [values].flat()) {
      if (value !== undefined && value !== "") search.append(name, String(value));
    }
  }
  return search.size ? `${path}?${search}` : path;
}

/** An address below `path`; slashes in a name stay, so that `prompt/answer` is two segments. */
function at(path: string, ...names: string[]): string {
  return [path, ...names.flatMap((name) => name.split("/")).map(encodeURIComponent)].join("/");
}
