import assert from "node:assert/strict";
import { test } from "node:test";
import { aChange, aRelease, anArtifact, aRun } from "./builders.ts";
import {
  canGoOn,
  currentRun,
  gateOf,
  judgedRun,
  learnsLater,
  needsOverride,
  newestDataSet,
  overall,
  overrideOf,
  secondsLeft,
  stageHint,
  stagesOf,
  stationOf,
  trainedRelease,
  waitingVersion,
  wentLive,
} from "./loop.ts";

const PASSED = {
  metric: "points",
  explanation: "100 is best.",
  decision: "passed",
  summary: "",
  reasons: [],
  slices: [{ name: "overall", examples: 47, difference: 5.5, low: 2.2, high: 9.7 }],
} as const;

test("the run that goes on is the one to look at, even where a newer one has ended", () => {
  const waiting = aRun({ run_id: "r1", state: "running" });
  const ended = aRun({ run_id: "r2", state: "failed" });
  assert.equal(currentRun([ended, waiting])?.run_id, "r1");
  assert.equal(currentRun([ended])?.run_id, "r2");
  assert.equal(currentRun([]), undefined);
});

test("the gate's word is that of the newest run that was judged", () => {
  const runs = [
    aRun({}),
    aRun({ run_id: "r2", state: "refused", verdict: { ...PASSED } as never }),
  ];
  assert.equal(judgedRun(runs)?.run_id, "r2");
});

test("a data set that expired gives way to one that can still be used", () => {
  const counts = { tenant: "default", frozen_at: "", train_questions: 1, gate_questions: 1 };
  const old = { digest: "a", ...counts, expired_at: "2026-03-01T12:00:00Z" };
  assert.equal(newestDataSet([old, { digest: "b", ...counts }])?.digest, "b");
  assert.equal(newestDataSet([old])?.digest, "a");
});

test("what training changes is the role of the run, and the query encoder before the first", () => {
  const releases = [aRelease("g-1", { role: "generator" }), aRelease("minilm")];
  assert.equal(trainedRelease(releases, [])?.live, "minilm");
  assert.equal(trainedRelease(releases, [aRun({ role: "generator" })])?.live, "g-1");
  const judged = aRun({ role: "generator", state: "released", verdict: { ...PASSED } as never });
  assert.equal(trainedRelease(releases, [aRun({ state: "failed" }), judged])?.live, "g-1");
  assert.equal(trainedRelease(releases, [aRun({ state: "running" }), judged])?.live, "minilm");
});

test("where nothing was measured there is no main number", () => {
  const verdict = { ...PASSED, reasons: [], slices: [{ name: "overall", examples: 0 }] };
  assert.equal(overall(aRun({ verdict })), undefined);
  assert.equal(overall(aRun({})), undefined);
});

test("a version goes live without more ado if a gate, its origin or its past speaks for it", () => {
  const release = aRelease("v3", { history: ["v2"] });
  assert.equal(needsOverride(anArtifact("v4"), release), true);
  assert.equal(needsOverride(anArtifact("v4", { gate: "failed" }), release), true);
  assert.equal(needsOverride(anArtifact("v4", { gate: "passed" }), release), false);
  assert.equal(needsOverride(anArtifact("v1", { origin: "shipped" }), release), false);
  assert.equal(needsOverride(anArtifact("v2"), release), false);
  assert.equal(gateOf(anArtifact("v4", { gate: "failed", origin: "shipped" })), "failed");
});

test("a run's version waits where it was judged, is registered, and is not live", () => {
  const run = aRun({ state: "passed", version: "v2" });
  const artifacts = [anArtifact("v1"), anArtifact("v2")];
  const release = aRelease("v1", { artifacts });
  assert.equal(waitingVersion(run, [release])?.artifact.version, "v2");
  assert.equal(waitingVersion(run, [{ ...release, live: "v2" }]), undefined);
  assert.equal(waitingVersion(run, [aRelease("v1")]), undefined);
  assert.equal(waitingVersion({ ...run, state: "failed" }, [release]), undefined);
  assert.equal(waitingVersion(run, []), undefined);
});

test("stages before the present one are done, those behind it are ahead", () => {
  const states = stagesOf(aRun({ stage: "low-rank" })).map(({ name, state }) => `${name} ${state}`);
  assert.deepEqual(states, [
    "prepare done",
    "full done",
    "low-rank current",
    "export ahead",
    "compare ahead",
    "settling ahead",
  ]);
});

test("a run that was judged has done everything, one that failed stopped where it was", () => {
  const judged = stagesOf(aRun({ state: "released", stage: "compare" }));
  assert.ok(judged.every(({ state }) => state === "done"));
  const failed = stagesOf(aRun({ state: "failed", stage: "export" }));
  assert.equal(failed.find(({ name }) => name === "export")?.state, "stopped");
});

test("a recipe that is not known shows the stage that it names", () => {
  const stages = stagesOf(aRun({ recipe: "answer-length", stage: "fit" }));
  assert.deepEqual(stages.map(({ name, state }) => `${name} ${state}`).slice(0, 3), [
    "prepare done",
    "fit current",
    "export ahead",
  ]);
  assert.ok(stagesOf(aRun({ stage: "waiting" })).every(({ state }) => state === "ahead"));
});

test("a training of answers has stages and hints of its own", () => {
  const run = aRun({ recipe: "sft", role: "generator", stage: "low-rank" });
  assert.deepEqual(
    stagesOf(run).map(({ name }) => name),
    ["prepare", "low-rank", "export", "compare", "settling"],
  );
  const whole = aRun({ ...run, stage: "full", settings: { variant: "full" } });
  assert.deepEqual(
    stagesOf(whole).map(({ name }) => name),
    ["prepare", "full", "export", "compare", "settling"],
  );
  assert.match(stageHint(run, "compare"), /answer the questions kept back/);
  assert.match(stageHint(aRun({}), "compare"), /measures which finds better/);
  assert.match(stageHint(run, "settling"), /release controller/);
  const other = aRun({ role: "judge", recipe: "reward" });
  assert.match(stageHint(other, "compare"), /Measures live and the new version/);
  const examples = aRun({ role: "prompt/answer", recipe: "few-shot" });
  assert.match(stageHint(examples, "prepare"), /what people wrote and liked/);
});

test("time is left until the last step of a stage, and none is told without steps", () => {
  const left = (seconds_left: number, steps = 10) =>
    secondsLeft(aRun({ steps, metrics: { seconds_left } }));
  assert.deepEqual(
    [left(34.4), left(0.2), left(0), left(34, 0)],
    [34, undefined, undefined, undefined],
  );
  assert.equal(secondsLeft(aRun({ steps: 10, metrics: {} })), undefined);
});

test("a run that failed after its data set was frozen can go on from there", () => {
  const at = (stage: string) => canGoOn(aRun({ state: "failed", stage }));
  assert.deepEqual(["", "prepare", "low-rank", "compare"].map(at), [false, false, true, true]);
  assert.equal(canGoOn(aRun({ state: "running", stage: "compare" })), false);
  assert.equal(canGoOn(aRun({ state: "cancelled", stage: "low-rank" })), true);
});

test("until its program has made a step, a training's curves are yet to come", () => {
  const at = (stage: string) => learnsLater(aRun({ stage }));
  assert.deepEqual(["", "prepare", "low-rank", "compare"].map(at), [true, true, true, false]);
  assert.equal(learnsLater(aRun({ state: "failed", stage: "low-rank" })), false);
});

test("who made a run's version live against its gate is known from the record of changes", () => {
  const refused = aRun({ state: "refused" });
  const changes = [
    aChange("v3", { run_id: "r2", overridden_by: "eve" }),
    aChange("v2", { run_id: "r1", overridden_by: "bob" }),
    aChange("v2", { run_id: "r1" }),
  ];
  assert.equal(overrideOf(refused, [], changes)?.actor, "bob");
  assert.equal(overrideOf(refused, [], [aChange("v2", { run_id: "r1" })]), undefined);
  const live = aRelease("v2", { evidence: { override: "cleo", why: "it reads well" } });
  assert.deepEqual(overrideOf({ ...refused, version: "v2" }, [live], changes), {
    actor: "cleo",
    reason: "it reads well",
  });
  assert.equal(overrideOf({ ...refused, version: "v1" }, [live], []), undefined);
});

test("a run is at one station of the loop at a time", () => {
  const at = (stage: string) => stationOf(aRun({ stage }));
  assert.deepEqual(["", "waiting", "prepare"].map(at), ["dataSet", "dataSet", "dataSet"]);
  assert.deepEqual(["full", "low-rank", "export"].map(at), ["run", "run", "run"]);
  assert.deepEqual(["compare", "settling"].map(at), ["gate", "gate"]);
  assert.equal(stationOf(aRun({ state: "released", stage: "compare" })), undefined);
  assert.equal(stationOf(undefined), undefined);
});

test("when a version went live is told by the record of changes, not by the release's last change", () => {
  const release = aRelease("v2", { actor: "verdict" });
  const changes = [
    aChange("v9", { role: "generator" }),
    aChange("v8", { tenant: "tea" }),
    aChange("v2"),
    aChange("v1"),
  ];
  assert.equal(wentLive(release, changes)?.actor, "bob");
});

test("what a tenant has from the default it has since the default has", () => {
  const registered = aRelease("v1", { tenant: "acme", actor: "who registered another" });
  const changes = [
    aChange("v1", { tenant: "other", actor: "eve" }),
    aChange("v1", { actor: "bob" }),
    aChange("v0", { actor: "gyre" }),
  ];
  assert.equal(wentLive(registered, changes)?.actor, "bob");
  const own = aChange("v2", { tenant: "acme", actor: "cleo" });
  assert.equal(wentLive({ ...registered, live: "v2" }, [own, ...changes])?.actor, "cleo");
  assert.equal(wentLive(registered, [own, ...changes])?.actor, "who registered another");
});

test("a release that is ahead of the record has only just changed", () => {
  const back = aRelease("v1", { actor: "ann" });
  assert.equal(wentLive(back, [aChange("v2"), aChange("v1")])?.actor, "ann");
  assert.equal(wentLive(back, [])?.actor, "ann");
  assert.equal(wentLive(back, undefined), undefined);
});
