import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "./errors.ts";
import { type Body, readRun } from "./event_stream.ts";

function body(...messages: object[]): Body {
  const events = messages.map((message) => `: beat\n\ndata: ${JSON.stringify(message)}\n\n`);
  return new Response(events.join("")).body!;
}

async function states(stream: Body): Promise<string[]> {
  const seen: string[] = [];
  for await (const run of readRun(stream)) seen.push(run.state);
  return seen;
}

test("a run is followed until it has ended", async () => {
  assert.deepEqual(await states(body({ state: "running" }, { state: "released" })), [
    "running",
    "released",
  ]);
});

test("a stream that ends while the run goes on is an error", async () => {
  const broken = states(body({ state: "running" }));
  await assert.rejects(broken, (error) => error instanceof ApiError && error.status === 0);
});

test("what the server says on the way is told in its words", async () => {
  const failed = body({ state: "running" }, { error: { message: "the trainer is away" } });
  await assert.rejects(states(failed), { message: "the trainer is away", status: 500 });
});
