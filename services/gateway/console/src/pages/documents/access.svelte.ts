// Who may read what is added; as it was chosen last.
import { session } from "../../session.svelte.ts";

class Access {
  restricted = $state(false);
  /** Names with commas between. */
  text = $state("");
  acl = $derived(this.restricted ? split(this.text) : []);
  /** Nobody is named. */
  incomplete = $derived(this.restricted && !this.acl.length);
  /** Whoever adds it could not read it. */
  excludes = $derived(
    this.acl.length > 0 && !this.acl.some((group) => session.current?.groups.includes(group)),
  );

  toggle(group: string): void {
    const others = this.acl.filter((each) => each !== group);
    const named = others.length < this.acl.length ? others : [...this.acl, group];
    this.text = named.join(", ");
  }
}

function split(text: string): string[] {
  const groups = text.split(",").map((group) => group.trim());
  return [...new Set(groups.filter(Boolean))];
}

export const access = new Access();
