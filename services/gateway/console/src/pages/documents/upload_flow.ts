// Brings files to where they are searchable: a few are sent at once, and each is followed until it is
// there or turned away.
import { ApiError, isAbort } from "../../errors.ts";
import type { DocumentDraft, DocumentEvent } from "../../messages.ts";
import { isKeptOut } from "./words.ts";

export type UploadState =
  /** Not sent yet. */
  | "waiting"
  | "sending"
  /** It is safe, and not searchable yet. */
  | "accepted"
  | "searchable"
  /** Its content cannot be taken. */
  | "rejected"
  /** It could not be handed over, for a reason that is not its own. */
  | "failed"
  | "stopped";

export interface Upload {
  readonly draft: DocumentDraft;
  /** Makes a retry the same submission. */
  readonly key: string;
  /** Whoever sends it may read it, and so can see how it goes on. */
  readonly readable: boolean;
  readonly abort: AbortController;
  state: UploadState;
  /** How much of it is sent, from 0 to 1. */
  share: number;
  submissionId: string;
  /** Why it was turned away. */
  code: string;
  detail: string;
}

export interface Gateway {
  /** Returns the submission's id. Raises ApiError; an AbortError. */
  send: (upload: Upload) => Promise<string>;
  /** What happened to those of these documents to which anything did, by their names. Raises
   * ApiError. */
  timelines: (documentIds: string[]) => Promise<Map<string, DocumentEvent[]>>;
  pause: (milliseconds: number) => Promise<void>;
}

const SENT_AT_ONCE = 3;
const IDS_AT_ONCE = 25;
const SHORTEST_PAUSE = 400;
const LONGEST_PAUSE = 3_000;
const PAUSE_BEFORE_RETRY = 3_000;

/** Documents become searchable roughly in the order in which they were sent, so the oldest are asked
 * about first; those that are not there yet go behind the others. */
export class UploadFlow {
  #gateway: Gateway;
  #waiting: Upload[] = [];
  #senders = 0;
  #followed: Upload[] = [];
  #following = false;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  add(uploads: Upload[]): void {
    for (const upload of uploads) this.#waiting.push(upload);
    while (this.#senders < SENT_AT_ONCE && this.#waiting.length) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#senders += 1;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#send(next);
    }
    this.#senders -= 1;
  }

  async #send(upload: Upload): Promise<void> {
    while (upload.state === "waiting") {
      upload.state = "sending";
      upload.share = 0;
      try {
        upload.submissionId = await this.#gateway.send(upload);
        upload.detail = upload.code = "";
        upload.state = "accepted";
        if (upload.readable) this.#follow(upload);
      } catch (error) {
        this.#refused(upload, error);
        if (isWaiting(upload)) await this.#gateway.pause(PAUSE_BEFORE_RETRY);
      }
    }
  }

  #refused(upload: Upload, error: unknown): void {
    const problem = error instanceof ApiError ? error : undefined;
    upload.detail = problem?.message ?? "";
    upload.code = problem?.code ?? "";
    if (isAbort(error)) upload.state = "stopped";
    else if (!problem) upload.state = "failed";
    else if (mayWorkLater(problem)) upload.state = "waiting";
    else upload.state = isOfContent(problem) ? "rejected" : "failed";
  }

  #follow(upload: Upload): void {
    this.#followed.push(upload);
    if (!this.#following) void this.#followAll();
  }

  async #followAll(): Promise<void> {
    this.#following = true;
    for (let pause = SHORTEST_PAUSE; this.#followed.length;) {
      await this.#gateway.pause(pause);
      const uploads = this.#followed.splice(0, IDS_AT_ONCE).filter(isFollowed);
      await this.#ask(uploads);
      const left = uploads.filter(isFollowed);
      this.#followed.push(...left);
      const hasMoved = left.length < uploads.length;
      pause = hasMoved ? SHORTEST_PAUSE : Math.min(pause * 1.5, LONGEST_PAUSE);
    }
    this.#following = false;
  }

  async #ask(uploads: Upload[]): Promise<void> {
    if (!uploads.length) return;
    try {
      const ids = uploads.map(({ draft }) => draft.document_id);
      const timelines = await this.#gateway.timelines(ids);
      for (const upload of uploads) end(upload, timelines.get(upload.draft.document_id) ?? []);
    } catch {
      // Nobody can say: they are asked about again.
    }
  }
}

function end(upload: Upload, events: DocumentEvent[]): void {
  const ending = events.find((event) => event.submission_id === upload.submissionId);
  if (!ending || !isFollowed(upload)) return;
  upload.code = ending.code;
  upload.detail = ending.detail;
  upload.state = isKeptOut(ending.state) ? "rejected" : "searchable";
}

function isFollowed({ state }: Upload): boolean {
  return state === "accepted";
}

/** Nothing moves it any more. */
export function isOver({ state, readable }: Upload): boolean {
  const isGoing = state === "waiting" || state === "sending" || (state === "accepted" && readable);
  return !isGoing;
}

function isWaiting(upload: Upload): boolean {
  return upload.state === "waiting";
}

function mayWorkLater({ status }: ApiError): boolean {
  return status === 0 || status === 429 || status === 503 || status === 504;
}

function isOfContent({ status }: ApiError): boolean {
  return status === 400 || status === 413 || status === 415;
}
