// OpenAI's own client: `openai_client.ts QUESTION BASE_URL KEY`.
import OpenAI from "openai";
import { say } from "./say.ts";

const [question, baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey });
const user = (content: string) => ({ role: "user" as const, content });

// Fields that the client does not know are there all the same.
type Extras = { gyre: { interaction_id: string; citations: { quote: string }[] } };
const extras = (reply: unknown) => {
  const { gyre } = reply as Extras;
  return {
    interaction_id: gyre.interaction_id,
    quotes: gyre.citations.map((each) => each.quote),
  };
};

const filters = { filters: { document_ids: ["coffee.md"] } };
const reply = await client.chat.completions.create({
  model: "gyre",
  messages: [user(question)],
  user: "ann",
  temperature: 0.5,
  max_tokens: 50,
  ...filters,
});
say("answer", { text: reply.choices[0].message.content, ...extras(reply) });

const stream = await client.chat.completions.create({
  model: "gyre",
  messages: [user("slow")],
  stream: true,
  stream_options: { include_usage: true },
});
let text = "";
let last: unknown;
let tokens: number | undefined;
for await (const chunk of stream) {
  const delta = chunk.choices[0]?.delta.content;
  if (delta && !text) say("first words", { text: delta });
  text += delta ?? "";
  if (chunk.choices.length) last = chunk;
  tokens = chunk.usage?.total_tokens;
}
say("stream", { text, tokens, ...extras(last) });

const turns = [
  { role: "system" as const, content: "Be brief." },
  user("Green tea?"),
  { role: "assistant" as const, content: "80 degrees." },
  user("And black?"),
];
const later = await client.chat.completions.create({ model: "gyre", messages: turns });
say("turns", { text: later.choices[0].message.content });

const stranger = new OpenAI({ baseURL, apiKey: "a-key-of-nobody-0001" });
const tools = [{ type: "function" as const, function: { name: "brew" } }];
for (const [step, refused, more] of [
  ["unknown model", client, { model: "gpt-9" }],
  ["tools", client, { tools }],
  ["wrong key", stranger, {}],
] as const) {
  try {
    const messages = [user("refused")];
    await refused.chat.completions.create({ model: "gyre", messages, ...more });
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    say(step, { error: error.constructor.name, status: error.status, message: error.message });
  }
}

try {
  const messages = [user("broken")];
  const broken = await client.chat.completions.create({ model: "gyre", messages, stream: true });
  for await (const _ of broken);
} catch (error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  say("broken stream", { error: error.constructor.name, message: error.message });
}

const vectors = await client.embeddings.create({ model: "gyre", input: ["warm tea", "cup"] });
say("vectors", { vectors: vectors.data.map((each) => each.embedding) });
