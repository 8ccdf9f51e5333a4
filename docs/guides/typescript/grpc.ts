// Gyre over gRPC from its own proto files: asks, streams, votes.
//
//   node grpc.ts "How hot?" [GENERATOR_ADDRESS [FEEDBACK_ADDRESS]]
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { load } from "@grpc/proto-loader";

interface Answer {
  interaction_id: string;
  answer: string;
  outcome: string;
  citations: { title: string; quote: string; chunk_id: string }[];
}
type Piece = {
  event: "started" | "delta" | "finished";
  delta?: { text: string };
  finished?: Answer;
};

const [
  question = "How hot?",
  generatorAddress = "127.0.0.1:50054",
  feedbackAddress = "127.0.0.1:50056",
] = process.argv.slice(2);

const definition = await load(
  ["gyre/generator/v1/generator.proto", "gyre/feedback/v1/feedback.proto"],
  {
    includeDirs: [fileURLToPath(new URL("../../../proto", import.meta.url))],
    keepCase: true,
    enums: String,
    longs: Number,
    defaults: true,
    oneofs: true,
  },
);
const { gyre } = loadPackageDefinition(definition) as unknown as {
  gyre: {
    generator: { v1: { GeneratorService: ServiceClientConstructor } };
    feedback: { v1: { FeedbackService: ServiceClientConstructor } };
  };
};
const generator = new gyre.generator.v1.GeneratorService(
  generatorAddress,
  credentials.createInsecure(),
);
const feedback = new gyre.feedback.v1.FeedbackService(
  feedbackAddress,
  credentials.createInsecure(),
);

// Whose documents; `authorization: Bearer KEY` goes here too, where keys are set.
const metadata = new Metadata();
metadata.set("gyre-tenant", "default");
const within = (seconds: number) => ({ deadline: Date.now() + seconds * 1000 });

const answer = (await promisify(generator.Answer.bind(generator))(
  { question, actor: "script" },
  metadata,
  within(60),
)) as Answer;
console.log(answer.answer);
for (const { title, quote } of answer.citations) console.log(`  ${title}: “${quote}”`);

const stream: ClientReadableStream<Piece> = generator.StreamAnswer(
  { question },
  metadata,
  within(60),
);
let streamed = "";
for await (const piece of stream as AsyncIterable<Piece>) {
  if (piece.event === "delta") streamed += piece.delta!.text;
  if (piece.event === "finished") console.log(`streamed: ${streamed} (${piece.finished!.outcome})`);
}

const { feedback_id } = (await promisify(feedback.SubmitFeedback.bind(feedback))(
  { interaction_id: answer.interaction_id, kind: "KIND_THUMB", value: "up", actor: "script" },
  metadata,
  within(10),
)) as { feedback_id: string };
console.log(`voted: ${feedback_id}`);
generator.close();
feedback.close();
