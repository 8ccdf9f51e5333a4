// Trainings, versions and releases for tests, with only what matters to them.
import type { Artifact, Release, ReleaseChange, Run } from "../../messages.ts";

const NOON = "2026-03-01T12:00:00Z";

export function aRun(more: Partial<Run>): Run {
  return {
    run_id: "r1",
    tenant: "default",
    recipe: "query-encoder",
    role: "query-encoder",
    profile: "default",
    state: "running",
    stage: "",
    step: 0,
    steps: 0,
    metrics: {},
    message: "",
    settings: {},
    data_set: "",
    base: "",
    version: "",
    actor: "ann",
    reason: "",
    started_at: NOON,
    votes: 0,
    ...more,
  };
}

export function anArtifact(version: string, evidence: Record<string, string> = {}): Artifact {
  const places = { digest: `sha256:${version}`, uri: "", index: "", fits: "", settings: {} };
  return { version, ...places, registered_at: NOON, evidence };
}

/** Of the query encoder; every version that it names is registered. */
export function aRelease(live: string, more: Partial<Release> = {}): Release {
  const history = more.history ?? [];
  return {
    tenant: "*",
    role: "query-encoder",
    generation: 3,
    live,
    shadow: "",
    artifacts: [live, ...history].map((version) => anArtifact(version)),
    history,
    reason: "",
    actor: "ann",
    evidence: {},
    changed_at: NOON,
    ...more,
  };
}

/** Of the query encoder of all tenants. */
export function aChange(live: string, more: Partial<ReleaseChange> = {}): ReleaseChange {
  return {
    tenant: "*",
    role: "query-encoder",
    generation: 3,
    time: "2026-02-01T12:00:00Z",
    live,
    replaced: "",
    actor: "bob",
    reason: "",
    run_id: "",
    gate: "",
    overridden_by: "",
    ...more,
  };
}
