// The bytes of a record as text.
import type { Encoding } from "../../messages.ts";

/** As it is where it is text; else with each byte that is no printable ASCII as \xNN. */
export function recordText(content: string, encoding: Encoding | undefined): string {
  if (encoding !== "base64") return content;
  return [...atob(content)]
    .map((byte) => {
      const code = byte.charCodeAt(0);
      const plain = (code >= 32 && code < 127) || byte === "\n" || byte === "\t";
      return plain ? byte : `\\x${code.toString(16).padStart(2, "0")}`;
    })
    .join("");
}
