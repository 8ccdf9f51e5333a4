// Runs that are followed while they go on. What was seen of their curves stays as long as the page.
import { SvelteMap } from "svelte/reactivity";
import { api } from "../../api.ts";
import { connection } from "../../connection.svelte.ts";
import { ApiError, isAbort } from "../../errors.ts";
import type { Run } from "../../messages.ts";
import { type Curves, withRun } from "./curves.ts";

const PAUSE = 2_000;
const curvesByRun = new SvelteMap<string, Curves>();

export function curvesOf(runId: string): Curves {
  return curvesByRun.get(runId) ?? new Map();
}

/** Follows a run until it has ended or `signal` says so; a gateway or a trainer that is away is
 * waited for. Raises ApiError where the run cannot be had at all. */
export async function follow(
  runId: string,
  signal: AbortSignal,
  changed: (run: Run) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const run of api.followRun(runId, signal)) {
        curvesByRun.set(runId, withRun(curvesOf(runId), run));
        changed(run);
      }
      return;
    } catch (error) {
      if (isAbort(error)) return;
      const isRefused = error instanceof ApiError && error.status >= 400 && error.status < 500;
      if (isRefused || !(error instanceof ApiError)) throw error;
    }
    do await new Promise((resolve) => setTimeout(resolve, PAUSE));
    while (connection.offline && !signal.aborted);
  }
}
