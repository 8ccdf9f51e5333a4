// The conversation on screen. It outlives the page, so that an answer goes on while one looks elsewhere.
import { api } from "../../api.ts";
import { isAbort } from "../../errors.ts";
import type {
  AnswerDetails,
  FeedbackDraft,
  Interaction,
  Session,
  Turn,
  Vote,
} from "../../messages.ts";
import { session } from "../../session.svelte.ts";
import { texts } from "../../texts.ts";
import { sourcesOf } from "./quotes.ts";
import { cutOffBy, inOrder } from "./record.ts";

type State = "waiting" | "streaming" | "done" | "stopped" | "failed";

/** One question, its answer, and what this reader says of it. */
export class Exchange {
  readonly question: string;
  /** The documents that its answer may rest on; any where none is named. */
  readonly documentIds: string[];
  answer = $state("");
  /** The answer as it came while one waited; empty where it was on record. */
  pieces = $state<string[]>([]);
  state = $state<State>("waiting");
  interactionId = $state("");
  details = $state.raw<AnswerDetails>();
  error = $state.raw<unknown>();
  vote = $state<Vote>();
  passageVotes = $state<Record<string, Vote>>({});
  correction = $state("");
  sources = $derived(this.details ? sourcesOf(this.details.citations, this.details.passages) : []);

  constructor(question: string, documentIds: string[] = []) {
    this.question = question;
    this.documentIds = documentIds;
  }

  /** As it was recorded. */
  static of(interaction: Interaction): Exchange {
    const exchange = new Exchange(interaction.question);
    exchange.answer = interaction.answer;
    exchange.state = interaction.outcome === "cancelled" ? "stopped" : "done";
    exchange.interactionId = interaction.interaction_id;
    exchange.details = {
      ...interaction,
      passages: interaction.retrieved,
      ignored: [],
      ...cutOffBy(interaction),
    };
    for (const word of interaction.feedback) {
      if (word.actor !== session.current?.actor) continue;
      if (word.kind === "thumb") exchange.vote = word.value as Vote;
      if (word.kind === "chunk") exchange.passageVotes[word.target] = word.value as Vote;
      if (word.kind === "correction") exchange.correction = word.value;
    }
    return exchange;
  }

  get running(): boolean {
    return this.state === "waiting" || this.state === "streaming";
  }

  /** Why the answer may stop in the middle; empty where it is whole. */
  get cutOffHint(): string {
    if (this.details?.content_filtered) return texts.ask.filteredHint;
    if (this.details?.repeated_itself) return texts.ask.repeatedHint;
    return this.details?.reached_max_tokens ? texts.ask.cutOffHint : "";
  }

  /** Raises ApiError. */
  async say(feedback: Omit<FeedbackDraft, "interaction_id">): Promise<void> {
    await api.sendFeedback({ interaction_id: this.interactionId, ...feedback });
    if (feedback.correction) this.correction = feedback.correction;
    else if (feedback.chunk_id && feedback.value) {
      this.passageVotes[feedback.chunk_id] = feedback.value;
    } else if (feedback.value) this.vote = feedback.value;
  }
}

class Conversation {
  /** Empty until the first answer has begun. */
  id = $state("");
  exchanges = $state<Exchange[]>([]);
  /** Which one is being fetched; empty where none is. */
  opening = $state("");
  #owner = "";
  #stop: AbortController | undefined;

  get running(): boolean {
    return this.exchanges.at(-1)?.running ?? false;
  }

  /** What is on screen belongs to whoever asked: to another it is not shown. */
  belongsTo(session: Session | undefined): void {
    const owner = JSON.stringify(session);
    if (owner !== this.#owner) this.clear();
    this.#owner = owner;
  }

  /** Leaves what is on screen for a new conversation. */
  clear(): void {
    this.stop();
    this.opening = "";
    this.id = "";
    this.exchanges = [];
  }

  /** Whether it is on screen, or about to be. */
  shows(id: string): boolean {
    return this.opening === id || (this.id === id && this.exchanges.length > 0);
  }

  /** A conversation as it was recorded; without exchanges if nothing was. Raises ApiError. */
  async open(id: string): Promise<void> {
    this.clear();
    this.opening = id;
    try {
      const recorded = await recordOf(id);
      if (this.opening !== id) return; // somebody went on meanwhile
      this.id = id;
      this.exchanges = inOrder(recorded).map((interaction) => Exchange.of(interaction));
    } finally {
      if (this.opening === id) this.opening = "";
    }
  }

  /** Asks; the answer rests on these documents alone, on any where none is named. */
  async ask(question: string, documentIds: string[]): Promise<void> {
    this.stop();
    const history = this.#history();
    this.exchanges.push(new Exchange(question, documentIds));
    await this.#answer(this.exchanges.at(-1)!, history);
  }

  /** Asks the last question again. */
  async regenerate(): Promise<void> {
    const last = this.exchanges.pop();
    if (last) await this.ask(last.question, last.documentIds);
  }

  stop(): void {
    this.#stop?.abort();
  }

  #history(): Turn[] {
    return this.exchanges
      .filter((each) => each.answer)
      .flatMap((each) => [
        { role: "user", content: each.question } as const,
        { role: "assistant", content: each.answer } as const,
      ]);
  }

  async #answer(exchange: Exchange, history: Turn[]): Promise<void> {
    const stop = (this.#stop = new AbortController());
    const question = {
      messages: [...history, { role: "user", content: exchange.question } as const],
      conversation_id: this.id,
      filters: { document_ids: exchange.documentIds },
    };
    try {
      for await (const piece of api.ask(question, stop.signal)) {
        if (piece.kind === "started") {
          exchange.interactionId = piece.interaction_id;
          this.id = piece.conversation_id;
        } else if (piece.kind === "text") {
          exchange.state = "streaming";
          exchange.answer += piece.text;
          exchange.pieces.push(piece.text);
        } else {
          exchange.details = piece.details;
          exchange.state = "done";
          rememberLatest(this.id, exchange.interactionId);
        }
      }
    } catch (error) {
      exchange.state = isAbort(error) ? "stopped" : "failed";
      if (!isAbort(error)) exchange.error = error;
    }
  }
}

/** The last answer that this tab was given: lists know of it a second later. */
const LATEST = "gyre-latest-answer";

function rememberLatest(conversationId: string, interactionId: string): void {
  sessionStorage.setItem(LATEST, JSON.stringify([conversationId, interactionId]));
}

async function recordOf(conversationId: string): Promise<Interaction[]> {
  const { data } = await api.interactions({ conversation_id: conversationId, limit: 100 });
  const ids = new Set(data.map((each) => each.interaction_id));
  const [latestIn, latest] = JSON.parse(sessionStorage.getItem(LATEST) ?? "[]") as string[];
  if (latestIn === conversationId && latest) ids.add(latest);
  return Promise.all([...ids].map((id) => api.interaction(id)));
}

export const conversation = new Conversation();
