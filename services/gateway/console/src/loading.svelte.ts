// What a page shows while it asks, when it has the answer, and when it got none.
import { connection } from "./connection.svelte.ts";
import { ApiError } from "./errors.ts";
import type { Page } from "./messages.ts";

/** One thing that is loaded; asked for again when the gateway answers again. Make it while a
 * component is set up: what `load` reads of the component's state loads it anew when it changes. */
export class Loaded<T> {
  value = $state.raw<T>();
  error = $state.raw<unknown>();
  loading = $state(false);
  #load: () => Promise<T>;
  #turn = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
    $effect(() => void this.reload());
    onRecovery(this);
  }

  async reload(): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const value = await this.#load();
      if (turn !== this.#turn) return;
      this.value = value;
      this.error = undefined;
    } catch (error) {
      if (turn === this.#turn) this.error = error;
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }
}

/** A list that is loaded page by page, under the same terms. */
export class PagedList<T> {
  items = $state.raw<T[]>([]);
  error = $state.raw<unknown>();
  loading = $state(false);
  /** Whether it was loaded at least once. */
  ready = $state(false);
  hasMore = $state(false);
  #load: (after?: string) => Promise<Page<T>>;
  #next: string | null = null;
  #turn = 0;

  constructor(load: (after?: string) => Promise<Page<T>>) {
    this.#load = load;
    $effect(() => void this.reload());
    onRecovery(this);
  }

  /** From the first page on; what is shown stays until it is there. */
  async reload(): Promise<void> {
    await this.#take(undefined, () => []);
  }

  async more(): Promise<void> {
    if (this.#next !== null && !this.loading) await this.#take(this.#next, () => this.items);
  }

  async #take(after: string | undefined, before: () => T[]): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const page = await this.#load(after);
      if (turn !== this.#turn) return;
      this.items = [...before(), ...page.data];
      this.#next = page.next;
      this.hasMore = page.has_more;
      this.ready = true;
      this.error = undefined;
    } catch (error) {
      if (turn === this.#turn) this.error = error;
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }
}

function onRecovery(loaded: { error: unknown; reload: () => Promise<void> }): void {
  let seen = connection.recoveries;
  $effect(() => {
    const recoveries = connection.recoveries;
    if (recoveries === seen) return;
    seen = recoveries;
    if (loaded.error instanceof ApiError) void loaded.reload();
  });
}
