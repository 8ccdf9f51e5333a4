// What the form of a source holds, and what becomes of it.
import type { SourceDraft, SourceKind, SourceSetting, Sync } from "../../messages.ts";
import { texts } from "../../texts.ts";

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Why it cannot be the name of a source; undefined where it can, or nothing is written yet. */
export function nameProblem(name: string): string | undefined {
  return !name || NAME.test(name) ? undefined : texts.sources.nameProblem;
}

/** Whether all is written that it takes. */
export function isComplete(
  name: string,
  kind: SourceKind | undefined,
  values: Record<string, string>,
): boolean {
  if (!kind || !NAME.test(name)) return false;
  return kind.settings.every(({ name, required }) => !required || !!values[name]?.trim());
}

/** What is sent: of the values those of the kind that were written, without spaces around them. */
export function draftOf(
  kind: SourceKind,
  values: Record<string, string>,
  schedule: string,
  groups: string,
): SourceDraft {
  const written = kind.settings
    .map(({ name }) => [name, values[name]?.trim() ?? ""] as const)
    .filter(([, value]) => value);
  const acl = groups.split(",").map((group) => group.trim());
  return {
    kind: kind.kind,
    settings: Object.fromEntries(written),
    schedule: schedule.trim(),
    acl: [...new Set(acl.filter(Boolean))],
  };
}

/** Whether it is on or off. */
export function isSwitch(setting: SourceSetting): boolean {
  return setting.default === "true" || setting.default === "false";
}

/** What became of what was looked at; what did not happen is left out. */
export function countsOf(sync: Sync): string {
  const { counts } = texts.sources;
  return (Object.keys(counts) as (keyof typeof counts)[])
    .filter((name) => sync[name])
    .map((name) => `${sync[name].toLocaleString("en")} ${counts[name]}`)
    .join(", ");
}
