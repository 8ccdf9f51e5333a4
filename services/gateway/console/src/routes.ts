// Which page an address belongs to.

export type Params = Record<string, string>;

/** The parameters of `path` if it fits `pattern`: `:name` is one segment, `*name` is all the rest,
 * slashes included. */
export function match(pattern: string, path: string): Params | undefined {
  const params: Params = {};
  const wanted = segments(pattern);
  const given = segments(path);
  for (const [at, part] of wanted.entries()) {
    if (part.startsWith("*")) {
      const rest = given.slice(at);
      if (!rest.length) return undefined;
      params[part.slice(1)] = rest.map(decoded).join("/");
      return params;
    }
    const segment = given[at];
    if (segment === undefined) return undefined;
    if (part.startsWith(":")) params[part.slice(1)] = decoded(segment);
    else if (part !== segment) return undefined;
  }
  return wanted.length === given.length ? params : undefined;
}

function segments(path: string): string[] {
  return path.replace(/^\/|\/$/g, "").split("/");
}

/** People write addresses by hand: what is no encoding stands for itself. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
