import assert from "node:assert/strict";
import { test } from "node:test";
import { type AnswerPiece, readAnswer } from "./answer_stream.ts";
import { ApiError } from "./errors.ts";

const STARTED = event({
  gyre: { interaction_id: "i1", conversation_id: "c1" },
  choices: [delta("")],
});
const FINISHED = event({ gyre: { outcome: "answered" }, choices: [delta(undefined, "stop")] });

function delta(content?: string, finish_reason: string | null = null): object {
  return { delta: { content }, finish_reason };
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function text(content: string): string {
  return event({ choices: [delta(content)] });
}

/** A body that arrives in the pieces given, and then ends, or fails with `failure`. */
function body(arriving: Uint8Array[], failure?: Error): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      for (const bytes of arriving) controller.enqueue(new Uint8Array(bytes));
      if (failure) controller.error(failure);
      else controller.close();
    },
  });
}

async function read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<AnswerPiece[]> {
  const pieces: AnswerPiece[] = [];
  for await (const piece of readAnswer(stream)) pieces.push(piece);
  return pieces;
}

const encoded = (...events: string[]) => events.map((each) => new TextEncoder().encode(each));

test("an answer begins, comes in pieces and ends with what it rests on", async () => {
  const pieces = await read(
    body(encoded(STARTED, text("Hot "), ": ping\n\n", text("tea."), FINISHED, "data: [DONE]\n\n")),
  );
  assert.deepEqual(
    pieces.map((piece) => (piece.kind === "text" ? piece.text : piece.kind)),
    ["started", "Hot ", "tea.", "finished"],
  );
  assert.deepEqual(pieces[0], { kind: "started", interaction_id: "i1", conversation_id: "c1" });
});

test("wherever the network cuts the bytes, the text is the same", async () => {
  const [bytes] = encoded(STARTED + text("🍵 ist gut: größer") + FINISHED);
  for (let at = 1; at < bytes!.length; at += 7) {
    const pieces = await read(body([bytes!.slice(0, at), bytes!.slice(at)]));
    assert.deepEqual(pieces[1], { kind: "text", text: "🍵 ist gut: größer" }, `cut at ${at}`);
    assert.equal(pieces.length, 3);
  }
});

test("an error on the way is the server's, in its words", async () => {
  const failed = event({ error: { message: "the generator is away: try again", param: null } });
  await assert.rejects(read(body(encoded(STARTED, text("Hot"), failed))), {
    name: "Error",
    message: "the generator is away: try again",
    status: 500,
  });
});

test("a stream that ends or breaks before the answer does is an error", async () => {
  for (const stream of [
    body(encoded(STARTED, text("Hot"))),
    body(encoded(STARTED, text("Hot"), "data: [DONE]\n\n")),
    body(encoded(STARTED), new TypeError("network error")),
    body(encoded(STARTED, "data: {broken\n\n")),
  ]) {
    await assert.rejects(read(stream), (error) => error instanceof ApiError && error.status === 0);
  }
});

test("who stops it hears that it was stopped", async () => {
  const stopped = new DOMException("stopped", "AbortError");
  await assert.rejects(read(body(encoded(STARTED), stopped)), { name: "AbortError" });
});
