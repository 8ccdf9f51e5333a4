// Server-sent events as messages, and the runs that are followed by them.
import { EventSourceParserStream } from "eventsource-parser/stream";
import { ApiError, isAbort } from "./errors.ts";
import type { Run } from "./messages.ts";
import { texts } from "./texts.ts";

export type Body = ReadableStream<Uint8Array<ArrayBuffer>>;

/** Every message up to the end of the stream. Raises ApiError where the server says so, and where
 * the stream breaks; an AbortError where the reader ended it. */
export async function* readEvents<T extends object>(body: Body): AsyncGenerator<T> {
  const events = body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  try {
    for (;;) {
      const { value: event, done } = await events.read();
      if (done || event.data === "[DONE]") return;
      const message = JSON.parse(event.data) as T;
      if ("error" in message) throw ApiError.from(message, 500);
      yield message;
    }
  } catch (error) {
    if (error instanceof ApiError || isAbort(error)) throw error;
    throw new ApiError(texts.errors.cut, 0);
  } finally {
    await events.cancel().catch(() => undefined);
  }
}

/** A run as it is, then after each change, until it has ended. Raises as `readEvents`, and where the
 * stream ends before the run does. */
export async function* readRun(body: Body): AsyncGenerator<Run> {
  let running = true;
  for await (const run of readEvents<Run>(body)) {
    running = run.state === "running";
    yield run;
  }
  if (running) throw new ApiError(texts.errors.cut, 0);
}
