// Who sits at this browser.
import { api } from "./api.ts";
import { connection } from "./connection.svelte.ts";
import type { Session, SessionChange } from "./messages.ts";

class SessionState {
  /** Undefined until the gateway has told. */
  current = $state<Session>();

  /** Whether a key has to be given before anything else. */
  get needsKey(): boolean {
    return this.current !== undefined && (!this.current.signed_in || connection.keyRefused);
  }

  async load(): Promise<void> {
    this.#take(await api.session());
  }

  async change(change: SessionChange): Promise<void> {
    this.#take(await api.changeSession(change));
  }

  async signOut(): Promise<void> {
    this.#take(await api.signOut());
  }

  #take(session: Session): void {
    this.current = session;
    connection.keyRefused = false;
  }
}

export const session = new SessionState();
