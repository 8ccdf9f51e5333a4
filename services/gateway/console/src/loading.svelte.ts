// What a page shows while it asks, when it has the answer, and when it got none.
import { untrack } from "svelte";
import { connection } from "./connection.svelte.ts";
import type { Page } from "./messages.ts";
import { refreshed } from "./paging.ts";
import { session } from "./session.svelte.ts";

/** How often what is on screen is asked for again, in milliseconds. */
const REFRESH_PAUSE = 5_000;
/** How many rows are loaded first, and at a time when one scrolls on. */
const PAGE = 100;
const FURTHER_PAGE = 500;

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
    onRecovery(() => this.error && this.reload());
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

interface Source<T, Q extends object> {
  /** What the list is of. */
  query: () => Q;
  load: (page: Q & { limit: number; after?: string }) => Promise<Page<T>>;
  key: (item: T) => string;
}

/** A list that is loaded page by page. It outlives the component that shows it: whoever comes back
 * finds it as they left it. */
export class PagedList<T, Q extends object = object> {
  items = $state.raw<T[]>([]);
  error = $state.raw<unknown>();
  loading = $state(false);
  /** Whether it was loaded at least once. */
  ready = $state(false);
  hasMore = $state(false);
  /** How far it was scrolled when it was last left, in pixels. */
  leftAt = 0;
  readonly key: (item: T) => string;
  #source: Source<T, Q>;
  #shown = "";
  #next: string | null = null;
  #turn = 0;

  constructor(source: Source<T, Q>) {
    this.#source = source;
    this.key = source.key;
  }

  /** Call it while a component is set up, so that the list is loaded as long as that is there: anew
   * when the query or the person changes, and every few seconds what is new. */
  attach(): void {
    $effect(() => {
      const wanted = JSON.stringify([this.#source.query(), session.current]);
      untrack(() => void (wanted === this.#shown ? this.refresh() : this.#show(wanted)));
    });
    onRecovery(() => this.refresh());
    everyFewSeconds(() => this.refresh());
  }

  /** From the first page on; what is shown stays until it is there. */
  async reload(): Promise<void> {
    await this.#take({ limit: PAGE }, (page) => page.data);
  }

  async more(): Promise<void> {
    if (this.#next === null || this.loading) return;
    const next = { limit: FURTHER_PAGE, after: this.#next };
    await this.#take(next, (page) => [...this.items, ...page.data]);
  }

  /** Takes in what is new at its beginning, where nobody waits for anything else. */
  async refresh(): Promise<void> {
    if (this.loading) return;
    if (!this.ready) return this.reload();
    const turn = ++this.#turn;
    try {
      const page = await this.#load({ limit: PAGE });
      if (turn !== this.#turn) return;
      const items = page.has_more ? refreshed(this.items, page.data, this.key) : page.data;
      this.error = undefined;
      // More came than a page holds: who reads further down keeps their place until they leave it.
      if (page.has_more && items === page.data && this.leftAt > 0) return;
      if (items.length === page.data.length) this.#goOnBehind(page);
      this.items = items;
    } catch (error) {
      if (turn === this.#turn && !connection.offline) this.error = error;
    }
  }

  /** Takes a row out of it that is no more. */
  drop(key: string): void {
    this.items = this.items.filter((item) => this.key(item) !== key);
  }

  async #show(wanted: string): Promise<void> {
    this.#shown = wanted;
    this.leftAt = 0;
    await this.reload();
    if (this.error && this.#shown === wanted) this.items = [];
  }

  async #take(
    part: { limit: number; after?: string },
    combine: (page: Page<T>) => T[],
  ): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const page = await this.#load(part);
      if (turn !== this.#turn) return;
      this.items = combine(page);
      this.#goOnBehind(page);
      this.ready = true;
      this.error = undefined;
    } catch (error) {
      if (turn === this.#turn) this.error = error;
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  #load(part: { limit: number; after?: string }): Promise<Page<T>> {
    return this.#source.load({ ...untrack(this.#source.query), ...part });
  }

  #goOnBehind(page: Page<T>): void {
    this.#next = page.next;
    this.hasMore = page.has_more;
  }
}

/** Does it again and again, while the page is in sight and the gateway answers. Call it while a
 * component is set up. */
export function everyFewSeconds(work: () => unknown, pause = REFRESH_PAUSE): void {
  $effect(() => {
    let gone = false;
    async function turns(): Promise<void> {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (gone) return;
      if (document.visibilityState === "visible" && !connection.offline) await work();
      void turns();
    }
    void turns();
    return () => void (gone = true);
  });
}

function onRecovery(work: () => unknown): void {
  let seen = connection.recoveries;
  $effect(() => {
    const recoveries = connection.recoveries;
    if (recoveries === seen) return;
    seen = recoveries;
    untrack(work);
  });
}
