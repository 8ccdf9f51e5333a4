// An answer's Markdown as a tree of plain values, with its citation marks in place. Nothing in it is
// HTML: what is drawn is elements of this list, and text.
import type { Nodes, Parent, RootContent } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTable } from "micromark-extension-gfm-table";
import type { Citation } from "../../messages.ts";
import { unitsOf } from "./quotes.ts";

export type Tag =
  | ("p" | "h3" | "h4" | "strong" | "em" | "blockquote" | "ul" | "ol" | "li" | "a" | "pre" | "code")
  | ("table" | "tr" | "th" | "td" | "br" | "hr");

export type View =
  /** `citations` lie over the text, the marks of those in `ending` stand behind it. */
  | { kind: "text"; text: string; citations: Citation[]; ending: Citation[] }
  | { kind: "element"; tag: Tag; children: View[]; href?: string; start?: number };

interface Placed {
  citation: Citation;
  start: number;
  end: number;
}

/** Reads an answer; each citation's mark stands after the last character that it covers. */
export function viewOf(answer: string, citations: Citation[]): View[] {
  const units = unitsOf(answer);
  const placed = citations
    .map((citation) => ({ citation, start: units(citation.start), end: units(citation.end) }))
    .toSorted((one, other) => one.end - other.end);
  const root = fromMarkdown(answer, {
    extensions: [gfmTable()],
    mdastExtensions: [gfmTableFromMarkdown()],
  });
  return new Reader(answer, placed, leavesOf(root)).read(root);
}

/** A text before a mark, and its last word: it stays on one line with the mark, unless it is long. */
export function lastWord(text: string): [string, string] {
  const word = /\S+$/.exec(text)?.[0] ?? "";
  return word.length > LONG_WORD ? [text, ""] : [text.slice(0, text.length - word.length), word];
}

const LONG_WORD = 24;

class Reader {
  readonly #source: string;
  readonly #placed: Placed[];
  readonly #endingAt = new Map<Nodes, Placed[]>();

  constructor(source: string, placed: Placed[], leaves: Nodes[]) {
    this.#source = source;
    this.#placed = placed;
    for (const each of placed) {
      // An end in the midst of syntax, as behind the last letter of a bold word, belongs before it.
      const leaf = leaves.findLast((one) => startOf(one) < each.end) ?? leaves[0];
      if (leaf) this.#endingAt.set(leaf, [...(this.#endingAt.get(leaf) ?? []), each]);
    }
  }

  read(parent: Parent): View[] {
    return parent.children.flatMap((node) => this.#view(node));
  }

  #view(node: RootContent): View[] {
    switch (node.type) {
      case "text":
        return this.#text(node, node.value);
      case "inlineCode":
        return [element("code", [this.#whole(node, node.value)]), ...this.#marks(node)];
      case "code":
        return [
          element("pre", [element("code", [this.#whole(node, node.value)])]),
          ...this.#marks(node),
        ];
      case "html":
        return [this.#whole(node, node.value), ...this.#marks(node)];
      case "image":
        return [this.#whole(node, node.alt ?? ""), ...this.#marks(node)];
      case "break":
        return [element("br", [])];
      case "thematicBreak":
        return [element("hr", [])];
      case "heading":
        return [element(node.depth < 3 ? "h3" : "h4", this.read(node))];
      case "list":
        return [
          { ...element(node.ordered ? "ol" : "ul", this.read(node)), start: node.start ?? 1 },
        ];
      case "link":
        return [
          ...(isSafe(node.url)
            ? [{ ...element("a", this.read(node)), href: node.url }]
            : this.read(node)),
          ...this.#marks(node),
        ];
      case "table":
        return [
          element(
            "table",
            node.children.map((row, at) => this.#row(row, at)),
          ),
        ];
      case "definition":
        return [];
      default:
        if (!("children" in node)) return [this.#whole(node, this.#slice(node))];
        return node.type in TAGS
          ? [element(TAGS[node.type as keyof typeof TAGS], this.read(node))]
          : this.read(node);
    }
  }

  #row(row: Parent, at: number): View {
    const tag = at ? "td" : "th";
    return element(
      "tr",
      row.children.map((cell) => element(tag, this.read(cell as Parent))),
    );
  }

  /** A run of text, cut where citations begin and end. */
  #text(node: Nodes, value: string): View[] {
    const place = aligned(this.#slice(node), value);
    const from = startOf(node);
    const ending = this.#endingAt.get(node) ?? [];
    const edges = new Set([0, value.length]);
    for (const { start, end } of this.#placed)
      edges.add(place(start - from)).add(place(end - from));
    const inOrder = [...edges].toSorted((one, other) => one - other);
    const endingAt = (offset: number) =>
      once(ending.filter((each) => place(each.end - from) === offset));
    const views = inOrder.slice(1).map((end, at): View => {
      const text = value.slice(inOrder[at], end);
      const over = this.#placed.filter(
        (each) => place(each.start - from) < end && place(each.end - from) >= end,
      );
      return { kind: "text", text, citations: over.map(citationOf), ending: endingAt(end) };
    });
    return [...marks(endingAt(0)), ...views];
  }

  #whole(node: Nodes, text: string): View {
    const over = this.#placed.filter(
      (each) => each.start < endOf(node) && each.end > startOf(node),
    );
    return { kind: "text", text, citations: over.map(citationOf), ending: [] };
  }

  #marks(node: Nodes): View[] {
    return marks(once(this.#endingAt.get(node) ?? []));
  }

  #slice(node: Nodes): string {
    return this.#source.slice(startOf(node), endOf(node));
  }
}

const TAGS = {
  paragraph: "p",
  strong: "strong",
  emphasis: "em",
  blockquote: "blockquote",
  listItem: "li",
} as const satisfies Record<string, Tag>;

function element(tag: Tag, children: View[]): View & { kind: "element" } {
  return { kind: "element", tag, children };
}

/** Of citations of one passage the last: they have one number. */
function once(placed: Placed[]): Citation[] {
  return [...new Map(placed.map(({ citation }) => [citation.chunk_id, citation])).values()];
}

function marks(ending: Citation[]): View[] {
  return ending.length ? [{ kind: "text", text: "", citations: [], ending }] : [];
}

/** What marks can stand behind, in reading order: text, and a link as a whole. */
function leavesOf(node: Nodes): Nodes[] {
  if ("children" in node && node.type !== "link")
    return node.children.flatMap((child) => leavesOf(child));
  return node.type === "definition" || node.type === "break" ? [] : [node];
}

/** Offsets in the source as offsets in the value that was read from it: without backslashes, and
 * without what stands before the lines of a list or a quotation. */
function aligned(source: string, value: string): (offset: number) => number {
  const offsets: number[] = [];
  let at = 0;
  for (const character of source.split("")) {
    offsets.push(at);
    if (character === value[at]) at += 1;
  }
  return (offset) => (offset < 0 ? 0 : (offsets[offset] ?? value.length));
}

function isSafe(url: string): boolean {
  return URL.canParse(url) && ["http:", "https:", "mailto:"].includes(new URL(url).protocol);
}

const startOf = (node: Nodes) => node.position?.start.offset ?? 0;
const endOf = (node: Nodes) => node.position?.end.offset ?? 0;
const citationOf = ({ citation }: Placed) => citation;
