import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../errors.ts";
import type { DocumentEvent } from "../../messages.ts";
import { type Gateway, isOver, type Upload, UploadFlow } from "./upload_flow.ts";

function anUpload(document_id: string, more: Partial<Upload> = {}): Upload {
  const draft = { document_id, file: new Blob(["tea"]), title: "", acl: [] };
  const begun = { state: "waiting", share: 0, submissionId: "", code: "", detail: "" } as const;
  const abort = new AbortController();
  return { draft, key: document_id, readable: true, abort, ...begun, ...more };
}

function anEvent(submission_id: string, more: Partial<DocumentEvent> = {}): DocumentEvent {
  const submitted_at = "2026-03-01T12:00:00Z";
  const at = { submitted_at, happened_at: submitted_at };
  const happened = { revision: 1, ...at, stage: "", code: "", detail: "", notes: [] };
  return { state: "DOCUMENT_STATE_INDEXED", submission_id, ...happened, ...more };
}

/** Takes everything, and has it searchable at the second question. */
class FakeGateway implements Gateway {
  sent: string[] = [];
  problems: unknown[] = [];
  events = new Map<string, DocumentEvent>();
  sendingAtOnce = 0;
  mostAtOnce = 0;
  pauses = 0;
  questions = 0;
  #requested = new Set<string>();

  send = async (upload: Upload): Promise<string> => {
    this.sendingAtOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.sendingAtOnce);
    await this.#turn();
    this.sendingAtOnce -= 1;
    const problem = this.problems.shift();
    if (problem) throw problem;
    this.sent.push(upload.key);
    return `s-${upload.key}`;
  };

  timelines = async (ids: string[]): Promise<Map<string, DocumentEvent[]>> => {
    await this.#turn();
    this.questions += 1;
    assert.ok(ids.length > 0 && ids.length <= 100, String(ids.length));
    if (this.questions % 5 === 3) throw new ApiError("Elasticsearch is away", 503);
    const known = ids.filter((id) => this.#requested.has(id));
    for (const id of ids) this.#requested.add(id);
    return new Map(
      known.map((id) => [id, [anEvent("an older one"), this.events.get(id) ?? anEvent(`s-${id}`)]]),
    );
  };

  pause = async (): Promise<void> => {
    this.pauses += 1;
    await this.#turn();
  };

  #turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

async function over(uploads: Upload[]): Promise<void> {
  for (let turns = 0; turns < 20_000; turns++) {
    if (uploads.every(isOver)) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail(`still going: ${uploads.filter((each) => !isOver(each)).map((each) => each.state)}`);
}

test("five hundred files become searchable, and only a few are sent at once", async () => {
  const gateway = new FakeGateway();
  const uploads = Array.from({ length: 500 }, (_, at) => anUpload(`${at}.md`));
  new UploadFlow(gateway).add(uploads);
  await over(uploads);
  assert.ok(uploads.every(({ state }) => state === "searchable"));
  assert.ok(gateway.mostAtOnce > 1 && gateway.mostAtOnce <= 4, String(gateway.mostAtOnce));
  assert.ok(gateway.questions < 100, String(gateway.questions));
  assert.deepEqual(
    gateway.sent,
    uploads.map(({ key }) => key),
  );
});

test("while the gateway is away a file waits, and is then sent as the same submission", async () => {
  const gateway = new FakeGateway();
  gateway.problems = [new ApiError("", 0), new ApiError("Kafka is away", 503)];
  const upload = anUpload("tea.md");
  new UploadFlow(gateway).add([upload]);
  await over([upload]);
  assert.equal(upload.state, "searchable");
  assert.deepEqual(gateway.sent, [upload.key]);
  assert.ok(gateway.pauses >= 2);
});

test("content that cannot be taken is rejected with what the gateway says", async () => {
  const gateway = new FakeGateway();
  const says = "content is a PNG image: send text";
  gateway.problems = [new ApiError(says, 400, "content", "", "unsupported_media_type")];
  const [picture, tea] = [anUpload("a.png"), anUpload("tea.md")];
  new UploadFlow(gateway).add([picture, tea]);
  await over([picture, tea]);
  assert.deepEqual(
    [picture.state, picture.code, picture.detail],
    ["rejected", "unsupported_media_type", says],
  );
  assert.equal(tea.state, "searchable");
});

test("what fails for another reason has failed, and can be sent again", async () => {
  const gateway = new FakeGateway();
  gateway.problems = [new ApiError("nobody foresaw", 500), new TypeError("a bug")];
  const uploads = [anUpload("a.md"), anUpload("b.md")];
  new UploadFlow(gateway).add(uploads);
  await over(uploads);
  assert.deepEqual(
    uploads.map(({ state }) => state),
    ["failed", "failed"],
  );
});

test("what is turned away later says why", async () => {
  const gateway = new FakeGateway();
  const state = "DOCUMENT_STATE_REJECTED";
  const rejection = anEvent("s-a.bin", { state, code: "bad_encoding", detail: "send UTF-8" });
  gateway.events.set("a.bin", rejection);
  const upload = anUpload("a.bin");
  new UploadFlow(gateway).add([upload]);
  await over([upload]);
  assert.deepEqual(
    [upload.state, upload.code, upload.detail],
    ["rejected", "bad_encoding", "send UTF-8"],
  );
});

test("a document whose sender may not read it is not followed", async () => {
  const gateway = new FakeGateway();
  const upload = anUpload("secret.md", { readable: false });
  new UploadFlow(gateway).add([upload]);
  await over([upload]);
  assert.equal(upload.state, "accepted");
  assert.equal(gateway.pauses, 0);
});

test("what is stopped is not sent, and no longer followed", async () => {
  const gateway = new FakeGateway();
  const [first, second] = [anUpload("a.md"), anUpload("b.md")];
  second.state = "stopped";
  gateway.events.set("a.md", anEvent("another submission"));
  new UploadFlow(gateway).add([first, second]);
  while (first.state !== "accepted") await new Promise((resolve) => setImmediate(resolve));
  first.state = "stopped";
  await over([first, second]);
  assert.deepEqual(gateway.sent, ["a.md"]);
});
