// An answer as it arrives: server-sent events in OpenAI's shape, read piece by piece.
import { EventSourceParserStream } from "eventsource-parser/stream";
import { ApiError, isAbort } from "./errors.ts";
import type { AnswerDetails } from "./messages.ts";
import { texts } from "./texts.ts";

export type AnswerPiece =
  | { kind: "started"; interaction_id: string; conversation_id: string }
  | { kind: "text"; text: string }
  | { kind: "finished"; details: AnswerDetails };

interface Chunk {
  choices?: { delta: { content?: string }; finish_reason: string | null }[];
  gyre?: AnswerDetails;
  error?: unknown;
}

/** Raises ApiError where the server says so, and where the stream ends before the answer does; an
 * AbortError where the reader ended it. */
export async function* readAnswer(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<AnswerPiece> {
  const events = body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  let finished = false;
  try {
    while (!finished) {
      const { value: event, done } = await events.read();
      if (done || event.data === "[DONE]") break;
      for (const piece of pieces(event.data)) {
        finished ||= piece.kind === "finished";
        yield piece;
      }
    }
  } catch (error) {
    if (error instanceof ApiError || isAbort(error)) throw error;
    throw new ApiError(texts.errors.cut, 0);
  } finally {
    await events.cancel().catch(() => undefined);
  }
  if (!finished) throw new ApiError(texts.errors.cut, 0);
}

function* pieces(data: string): Generator<AnswerPiece> {
  const chunk = JSON.parse(data) as Chunk;
  if (chunk.error) throw ApiError.from(chunk, 500);
  const choice = chunk.choices?.[0];
  if (choice?.delta.content) yield { kind: "text", text: choice.delta.content };
  if (!chunk.gyre) return;
  if (choice?.finish_reason) yield { kind: "finished", details: chunk.gyre };
  else yield { kind: "started", ...chunk.gyre };
}
