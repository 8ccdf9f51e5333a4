// Asks, shows the answer as it comes with a mark behind every sentence, its sources, and votes.
import { ask, type Citation, type Message, vote } from "./gyre.ts";

const parameters = new URLSearchParams(location.search);
const gyre = {
  url: parameters.get("gyre") ?? "http://127.0.0.1:8080",
  key: parameters.get("key") ?? "",
  actor: "page",
};
const form = document.querySelector("form")!;
const input = document.querySelector("input")!;
const answer = document.querySelector("#answer")!;
const sources = document.querySelector("#sources")!;
const votes = document.querySelector<HTMLElement>("#votes")!;
const status = document.querySelector("#status")!;
const conversation: Message[] = [];
let interaction = "";

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = input.value;
  answer.textContent = status.textContent = "";
  sources.replaceChildren();
  votes.hidden = true;
  try {
    let text = "";
    const pieces = ask(gyre, [...conversation, { role: "user", content: question }]);
    for (;;) {
      const { done, value } = await pieces.next();
      if (!done) {
        answer.textContent = text += value;
        continue;
      }
      answer.replaceChildren(...marked(text, value.citations));
      sources.replaceChildren(...value.citations.map(source));
      interaction = value.interaction_id;
      votes.hidden = false;
      conversation.push({ role: "user", content: question }, { role: "assistant", content: text });
      return;
    }
  } catch (error) {
    status.textContent = (error as Error).message;
  }
});

votes.addEventListener("click", async (event) => {
  const { value } = event.target as HTMLButtonElement;
  if (value !== "up" && value !== "down") return;
  try {
    await vote(gyre, interaction, value);
    status.textContent = "Thank you.";
  } catch (error) {
    status.textContent = (error as Error).message;
  }
});

/** The text with the number of each source behind what rests on it. Text is never read as HTML. */
function marked(text: string, citations: Citation[]): (string | Element)[] {
  const characters = [...text];
  const parts: (string | Element)[] = [];
  let at = 0;
  for (const [number, { end }] of [...citations.entries()].sort((a, b) => a[1].end - b[1].end)) {
    const mark = document.createElement("sup");
    mark.textContent = `[${number + 1}]`;
    parts.push(characters.slice(at, end).join(""), mark);
    at = end;
  }
  return [...parts, characters.slice(at).join("")];
}

function source({ title, document_id, quote, source_uri }: Citation): Element {
  const item = document.createElement("li");
  const name = document.createElement(/^https?:/.test(source_uri) ? "a" : "b");
  if (name instanceof HTMLAnchorElement) name.href = source_uri;
  name.textContent = title || document_id;
  item.append(name, ` “${quote}”`);
  return item;
}
