// Which characters of an answer rest on which of a passage. The gateway counts Unicode code points,
// JavaScript's strings count UTF-16 units.
import type { Citation, Passage } from "../../messages.ts";

/** A passage that the answer rests on, by the number that readers see. */
export interface Source {
  number: number;
  passage: Passage;
}

/** A stretch of text, and which citations lie over it. */
export interface Stretch {
  text: string;
  citations: Citation[];
}

/** Offsets in code points as offsets in units; what lies past the end is the end. */
export function unitsOf(text: string): (points: number) => number {
  const starts: number[] = [];
  let at = 0;
  for (const character of text) {
    starts.push(at);
    at += character.length;
  }
  return (points) => starts[Math.max(points, 0)] ?? at;
}

/** The passages that are cited, in the order in which the answer first rests on them. */
export function sourcesOf(citations: Citation[], passages: Passage[]): Source[] {
  const known = new Map(passages.map((passage) => [passage.chunk_id, passage]));
  const inOrder = citations.toSorted((one, other) => one.end - other.end);
  const cited = new Set(inOrder.map((citation) => citation.chunk_id));
  return [...cited]
    .flatMap((id) => known.get(id) ?? [])
    .map((passage, at) => ({ number: at + 1, passage }));
}

/** Headings over a passage, without the document's title. */
export function headingsOf({ title, heading_path }: Passage): string[] {
  return heading_path[0] === title ? heading_path.slice(1) : heading_path;
}

/** Where a passage stands, from the outermost heading to the page; its document where it has none. */
export function placeOf(passage: Passage, { innermost = false } = {}): string {
  const headings = innermost ? headingsOf(passage).slice(-1) : headingsOf(passage);
  const name = headings.join(" › ") || passage.document_id;
  return passage.position ? `${name}, ${passage.position}` : name;
}

/** A passage's text in the stretches that a reader tells apart: quoted, and not. */
export function stretches(passage: Passage, citations: Citation[]): Stretch[] {
  const units = unitsOf(passage.text);
  const quotes = citations
    .filter((citation) => citation.chunk_id === passage.chunk_id)
    .map((citation) => ({
      citation,
      start: units(citation.chunk_start),
      end: units(citation.chunk_end),
    }));
  const edges = new Set([0, passage.text.length]);
  for (const quote of quotes) edges.add(quote.start).add(quote.end);
  const inOrder = [...edges].toSorted((one, other) => one - other);
  return inOrder.slice(1).map((end, at) => ({
    text: passage.text.slice(inOrder[at], end),
    citations: quotes
      .filter((quote) => quote.start < end && quote.end >= end)
      .map((quote) => quote.citation),
  }));
}

/** An answer to be pasted elsewhere: numbers in the text, the sources below. */
export function withSources(answer: string, citations: Citation[], sources: Source[]): string {
  const units = unitsOf(answer);
  const numbers = new Map(sources.map(({ number, passage }) => [passage.chunk_id, number]));
  let text = answer;
  for (const citation of citations.toSorted((one, other) => other.end - one.end)) {
    const number = numbers.get(citation.chunk_id);
    if (number === undefined) continue;
    const at = units(citation.end);
    const mark = `[${number}]`;
    if (!text.startsWith(mark, at)) text = `${text.slice(0, at)}${mark}${text.slice(at)}`;
  }
  const lines = sources.map(({ number, passage }) => {
    const place = [passage.title || passage.document_id, ...headingsOf(passage)].join(" › ");
    return `[${number}] ${place}${passage.source_uri ? ` (${passage.source_uri})` : ""}`;
  });
  return lines.length ? `${text}\n\n${lines.join("\n")}` : text;
}
