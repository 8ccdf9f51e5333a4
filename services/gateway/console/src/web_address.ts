// Which addresses of documents lead somewhere in a browser.

/** The address, if it is one of the web: others are shown and lead nowhere. */
export function webAddress(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { protocol } = new URL(address);
  return protocol === "https:" || protocol === "http:" ? address : undefined;
}
