// Whether the gateway and the services behind it answer. While one does not, it asks again by itself.
import { ApiError } from "./errors.ts";
import type { Status } from "./messages.ts";
import { texts } from "./texts.ts";

const OFFLINE_PAUSE = 2_000;
const DEGRADED_PAUSE = 5_000;

class Connection {
  /** The gateway itself is not reached. */
  offline = $state(false);
  /** Names of services that do not answer. */
  away = $state<string[]>([]);
  /** The session's key is not, or no longer, one of the server's. */
  keyRefused = $state(false);
  /** Grows whenever everything answers again: what could not be loaded is then worth another try. */
  recoveries = $state(0);
  #watching = false;

  /** A request did not get through. */
  lost(): ApiError {
    this.offline = true;
    this.#watch();
    return new ApiError(texts.errors.offline, 0);
  }

  /** A request was answered with an error. */
  refused(error: ApiError): void {
    if (error.status === 401) this.keyRefused = true;
    if (error.status === 503) void this.check();
  }

  /** Asks how the services are. */
  async check(): Promise<void> {
    try {
      const response = await fetch("/v1/status");
      this.offline = false;
      if (!response.ok) return;
      const { services } = (await response.json()) as Status;
      this.away = services.filter((each) => !each.serving).map((each) => each.name);
    } catch {
      this.offline = true;
    }
    if (this.#impaired) this.#watch();
  }

  get #impaired(): boolean {
    return this.offline || this.away.length > 0;
  }

  #watch(): void {
    if (this.#watching || !this.#impaired) return;
    this.#watching = true;
    void this.#untilWell().finally(() => (this.#watching = false));
  }

  async #untilWell(): Promise<void> {
    while (this.#impaired) {
      const pause = this.offline ? OFFLINE_PAUSE : DEGRADED_PAUSE;
      await new Promise((resolve) => setTimeout(resolve, pause));
      await this.check();
    }
    this.recoveries += 1;
  }
}

export const connection = new Connection();
