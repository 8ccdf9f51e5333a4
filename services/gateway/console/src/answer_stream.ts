// An answer as it arrives: server-sent events in OpenAI's shape, read piece by piece.
import { ApiError } from "./errors.ts";
import { type Body, readEvents } from "./event_stream.ts";
import type { AnswerDetails } from "./messages.ts";
import { texts } from "./texts.ts";

export type AnswerPiece =
  | { kind: "started"; interaction_id: string; conversation_id: string }
  | { kind: "text"; text: string }
  | { kind: "finished"; details: AnswerDetails };

interface Chunk {
  choices?: { delta: { content?: string }; finish_reason: string | null }[];
  gyre?: AnswerDetails;
}

/** Raises ApiError where the server says so, and where the stream ends before the answer does; an
 * AbortError where the reader ended it. */
export async function* readAnswer(body: Body): AsyncGenerator<AnswerPiece> {
  for await (const chunk of readEvents<Chunk>(body)) {
    for (const piece of pieces(chunk)) {
      yield piece;
      if (piece.kind === "finished") return;
    }
  }
  throw new ApiError(texts.errors.cut, 0);
}

function* pieces(chunk: Chunk): Generator<AnswerPiece> {
  const choice = chunk.choices?.[0];
  if (choice?.delta.content) yield { kind: "text", text: choice.delta.content };
  if (!chunk.gyre) return;
  if (choice?.finish_reason) yield { kind: "finished", details: chunk.gyre };
  else yield { kind: "started", ...chunk.gyre };
}
