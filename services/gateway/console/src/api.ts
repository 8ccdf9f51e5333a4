// The one way to the gateway: every request, its types, and what its errors become.
import { type AnswerPiece, readAnswer } from "./answer_stream.ts";
import { connection } from "./connection.svelte.ts";
import { ApiError, isAbort } from "./errors.ts";
import type {
  DocumentStatus,
  FeedbackDraft,
  Interaction,
  InteractionSummary,
  Page,
  Session,
  SessionChange,
  Status,
  Turn,
} from "./messages.ts";

type Query = Record<string, string | number | undefined>;
type Method = "GET" | "POST" | "PUT" | "DELETE";

export const api = {
  session: () => json<Session>("GET", "/session"),
  changeSession: (change: SessionChange) => json<Session>("PUT", "/session", change),
  signOut: () => json<Session>("DELETE", "/session"),

  /** Raises ApiError, also in the middle; an AbortError once `signal` says so. */
  ask,
  sendFeedback: (draft: FeedbackDraft) => json<object>("POST", "/v1/feedback", draft),

  interactions: (query: { conversation_id?: string; limit?: number; after?: string }) =>
    json<Page<InteractionSummary>>("GET", address("/v1/interactions", query)),
  interaction: (id: string) =>
    json<Interaction>("GET", `/v1/interactions/${encodeURIComponent(id)}`),

  documents: (query: { limit?: number; after?: string }) =>
    json<Page<DocumentStatus>>("GET", address("/v1/documents", query)),

  status: () => json<Status>("GET", "/v1/status"),
};

async function* ask(
  messages: Turn[],
  conversationId: string,
  signal: AbortSignal,
): AsyncGenerator<AnswerPiece> {
  const body = { model: "gyre", stream: true, messages, conversation_id: conversationId };
  const response = await send("POST", "/v1/chat/completions", body, signal);
  try {
    yield* readAnswer(response.body!);
  } catch (error) {
    if (!isAbort(error)) void connection.check();
    throw error;
  }
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
  const error = ApiError.from(problem, response.status, response.headers.get("x-request-id") ?? "");
  connection.refused(error);
  throw error;
}

function address(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length ? `${path}?${search}` : path;
}
