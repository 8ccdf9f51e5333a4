// Short messages that come and go at the edge of the page.

export interface Toast {
  id: number;
  kind: "done" | "failed";
  text: string;
}

const SECONDS = { done: 4, failed: 9 };

class Toasts {
  shown = $state<Toast[]>([]);
  #last = 0;

  done(text: string): void {
    this.#show("done", text);
  }

  failed(error: unknown): void {
    this.#show("failed", error instanceof Error ? error.message : String(error));
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((each) => each.id !== id);
  }

  #show(kind: Toast["kind"], text: string): void {
    const id = ++this.#last;
    this.shown.push({ id, kind, text });
    setTimeout(() => this.dismiss(id), SECONDS[kind] * 1000);
  }
}

export const toasts = new Toasts();
