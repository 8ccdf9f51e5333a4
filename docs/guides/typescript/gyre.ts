// Gyre over HTTP, by what every browser and Node bring: fetch and server-sent events.

export interface Citation {
  chunk_id: string;
  document_id: string;
  title: string;
  /** Characters (code points) of the answer that rest on the quote. */
  start: number;
  end: number;
  quote: string;
  source_uri: string;
}

/** What stands in the extra field `gyre` of the last chunk. */
export interface Sources {
  interaction_id: string;
  conversation_id: string;
  outcome: "answered" | "abstained" | "error" | "cancelled";
  citations: Citation[];
}

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface Connection {
  url: string;
  /** Where keys are set. */
  key?: string;
  /** Who asks and votes, where keys say nothing of it. */
  actor?: string;
}

/** A refusal: `param` is the field that is wrong, where it is one. */
export class Refused extends Error {
  readonly param: string | null;

  constructor(error: { message: string; param?: string | null }) {
    super(error.message);
    this.param = error.param ?? null;
  }
}

/** Yields the words as they come; returns where they come from. Throws Refused. */
export async function* ask(
  gyre: Connection,
  messages: Message[],
  signal?: AbortSignal,
): AsyncGenerator<string, Sources> {
  const body = { model: "gyre", messages, stream: true };
  const reply = await post(gyre, "/v1/chat/completions", body, signal);
  let sources: Sources | undefined;
  for await (const data of events(reply)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refused(chunk.error);
    const [choice] = chunk.choices;
    if (choice?.delta.content) yield choice.delta.content;
    if (choice?.finish_reason) sources = chunk.gyre;
  }
  if (!sources) throw new Refused({ message: "the answer broke off: ask again" });
  return sources;
}

/** Says whether an answer was good, or one passage behind it. */
export async function vote(
  gyre: Connection,
  interaction_id: string,
  value: "up" | "down",
  chunk_id?: string,
): Promise<void> {
  await post(gyre, "/v1/feedback", { interaction_id, value, ...(chunk_id && { chunk_id }) });
}

async function post(
  gyre: Connection,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const reply = await fetch(gyre.url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(gyre.key && { authorization: `Bearer ${gyre.key}` }),
      ...(gyre.actor && { "gyre-actor": gyre.actor }),
    },
    body: JSON.stringify(body),
    signal,
  });
  if (!reply.ok) throw new Refused((await reply.json()).error);
  return reply;
}

/** Each event is one line; lines that begin with a colon show that the stream lives. */
async function* events(reply: Response): AsyncGenerator<string> {
  const reader = reply.body!.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6);
    }
  } finally {
    await reader.cancel(); // whoever stops reading ends the work behind
  }
}
