// Vercel's AI SDK: `ai_sdk_client.ts openai|openai-chat|openai-compatible QUESTION BASE_URL KEY`.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, jsonSchema, streamText, tool } from "ai";
import { say } from "./say.ts";

const [provider, question, baseURL, apiKey] = process.argv.slice(2);

type Gyre = { interaction_id: string; citations: { quote: string }[] };
const compatible = provider === "openai-compatible";

const connect = (key = apiKey) =>
  compatible
    ? createOpenAICompatible({ name: "gyre", baseURL, apiKey: key, includeUsage: true })
    : createOpenAI({ baseURL, apiKey: key });
// `openai("gyre")` calls /v1/responses, `openai.chat("gyre")` /v1/chat/completions.
const chat = (name = "gyre", key = apiKey) => {
  if (provider === "openai") return createOpenAI({ baseURL, apiKey: key })(name);
  return compatible ? connect(key).chatModel(name) : connect(key).chat(name);
};

const extras = (gyre: Gyre) => ({
  interaction_id: gyre.interaction_id,
  quotes: gyre.citations.map((each) => each.quote),
});
const sources = (all: { url?: string }[]) => ({ sources: all.map((each) => each.url) });

const answer = await generateText({
  model: chat(),
  prompt: question,
  temperature: 0.5,
  maxOutputTokens: 50,
  providerOptions: {
    openai: { user: "ann" }, // it hands on no field of its own accord
    gyre: { user: "ann", filters: { document_ids: ["coffee.md"] } },
  },
  include: { responseBody: true },
});
const body = answer.response.body as { gyre: Gyre };
say("answer", { text: answer.text, ...extras(body.gyre), ...sources(answer.sources) });

const stream = streamText({ model: chat(), prompt: "slow", includeRawChunks: true });
let text = "";
let gyre: Gyre | undefined;
for await (const part of stream.fullStream) {
  if (part.type === "text-delta") {
    if (!text) say("first words", { text: part.text });
    text += part.text;
  } else if (part.type === "raw") {
    const raw = part.rawValue as { gyre?: Gyre; response?: { gyre?: Gyre } };
    gyre = raw.gyre ?? raw.response?.gyre ?? gyre;
  }
}
const { totalTokens } = await stream.usage;
say("stream", { text, tokens: totalTokens, ...extras(gyre!), ...sources(await stream.sources) });

const turns = await generateText({
  model: chat(),
  instructions: "Be brief.",
  messages: [
    { role: "user", content: "Green tea?" },
    { role: "assistant", content: "80 degrees." },
    { role: "user", content: "And black?" },
  ],
});
say("turns", { text: turns.text });

const brew = tool({ inputSchema: jsonSchema({ type: "object" }) });
for (const [step, refused] of [
  ["unknown model", { model: chat("gpt-9") }],
  ["tools", { model: chat(), tools: { brew } }],
  ["wrong key", { model: chat("gyre", "a-key-of-nobody-0001") }],
] as const) {
  try {
    await generateText({ ...refused, prompt: "refused" });
  } catch (error) {
    if (!APICallError.isInstance(error)) throw error;
    say(step, { error: error.name, status: error.statusCode, message: error.message });
  }
}

const broken = streamText({ model: chat(), prompt: "broken", onError() {} });
for await (const part of broken.fullStream) {
  if (part.type !== "error") continue;
  const { name, message } = part.error as Error;
  say("broken stream", { error: name, message });
}

const model = connect().embeddingModel("gyre");
const { embeddings } = await embedMany({ model, values: ["warm tea", "cup"] });
say("vectors", { vectors: embeddings });
