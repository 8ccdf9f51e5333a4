import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, settingsIn } from "./settings.ts";

test("settings stand side by side, and a value may hold what parts it from its name", () => {
  assert.deepEqual(settingsIn(" epochs=2  base=smollm2=1 "), { epochs: "2", base: "smollm2=1" });
  assert.deepEqual(settingsIn(""), {});
  assert.equal(problemOf(" epochs=2  base=smollm2=1 "), undefined);
  assert.equal(problemOf(""), undefined);
});

test("what is no setting is named", () => {
  for (const broken of ["epochs", "=2", "epochs="]) {
    assert.match(problemOf(`seed=1 ${broken}`) ?? "", new RegExp(`“${broken}”`));
  }
});
