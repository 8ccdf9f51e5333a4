// What is being uploaded. It outlives the page, so that uploads go on while one looks elsewhere.
import { untrack } from "svelte";
import { api } from "../../api.ts";
import type { DocumentDraft } from "../../messages.ts";
import { session } from "../../session.svelte.ts";
import { isOver, type Upload, UploadFlow, type UploadState } from "./upload_flow.ts";

class ShownUpload implements Upload {
  readonly draft: DocumentDraft;
  readonly key = randomKey();
  readonly readable: boolean;
  readonly abort = new AbortController();
  state = $state<UploadState>("waiting");
  share = $state(0);
  code = $state("");
  detail = $state("");
  submissionId = "";

  constructor(draft: DocumentDraft, readable: boolean) {
    this.draft = draft;
    this.readable = readable;
  }
}

class Uploads {
  all = $state.raw<Upload[]>([]);
  going = $derived(this.all.filter((each) => !isOver(each)));
  rejected = $derived(this.all.filter(({ state }) => state === "rejected" || state === "failed"));
  #flow = new UploadFlow({
    send: async (upload) => {
      const { signal } = upload.abort;
      const progress = (share: number) => (upload.share = share);
      return (await api.upload(upload.draft, upload.key, progress, signal)).submission_id;
    },
    timelines: async (document_id) => {
      const { data } = await api.documents({ document_id });
      return new Map(data.map((each) => [each.document_id, each.timeline]));
    },
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  });

  constructor() {
    // They are made by one person, for one tenant: once somebody else sits here, they end.
    $effect.root(() => {
      $effect(() => {
        void JSON.stringify(session.current);
        untrack(() => this.#forgetAll());
      });
    });
    addEventListener("beforeunload", (event) => {
      if (this.all.some(({ state }) => state === "waiting" || state === "sending")) {
        event.preventDefault();
      }
    });
  }

  add(drafts: DocumentDraft[]): void {
    const groups = session.current?.groups ?? [];
    const added = drafts.map(
      (draft) =>
        new ShownUpload(
          draft,
          !draft.acl.length || draft.acl.some((each) => groups.includes(each)),
        ),
    );
    const names = new Set(drafts.map(({ document_id }) => document_id));
    const replaced = this.all.filter(({ draft }) => names.has(draft.document_id));
    replaced.forEach(end);
    this.all = [...added, ...this.all.filter((each) => !replaced.includes(each))];
    this.#flow.add(added);
  }

  /** Sends again what could not be handed over. */
  retry(upload: Upload): void {
    this.add([upload.draft]);
  }

  /** Ends what is not handed over yet. */
  stop(): void {
    this.all.filter(({ state }) => state === "waiting" || state === "sending").forEach(end);
  }

  /** Takes off the list what is over. */
  clear(): void {
    this.all = this.going;
  }

  /** The one that is on its way to this document. */
  of(documentId: string): Upload | undefined {
    return this.going.find(({ draft }) => draft.document_id === documentId);
  }

  #forgetAll(): void {
    this.all.forEach(end);
    this.all = [];
  }
}

function end(upload: Upload): void {
  if (isOver(upload)) return;
  upload.state = "stopped";
  upload.abort.abort();
}

/** `crypto.randomUUID` is there over https alone. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const uploads = new Uploads();
