// Opens the guide's page as a browser does, asks, and votes: `page_in_happy_dom.ts PAGE_URL QUESTION`.
import { setTimeout } from "node:timers/promises";
import { Browser } from "happy-dom";
import { say } from "./say.ts";

const [url, question] = process.argv.slice(2);
const browser = new Browser({
  settings: {
    enableJavaScriptEvaluation: true,
    suppressInsecureJavaScriptEnvironmentWarning: true, // the page is ours
  },
});
const page = browser.newPage();
await page.goto(url);
await page.waitUntilComplete();
const { document } = page.mainFrame;
const text = (selector: string) => document.querySelector(selector)!.textContent;
const votes = document.querySelector("#votes") as unknown as HTMLElement;
async function until(happened: () => unknown): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!happened() && Date.now() < deadline) await setTimeout(20);
}

(document.querySelector("input") as unknown as HTMLInputElement).value = question;
document.querySelector("button")!.click();
await until(() => !votes.hidden || text("#status"));
const link = document.querySelector("#sources a")?.getAttribute("href") ?? null;
const [answer, sources, status] = ["#answer", "#sources", "#status"].map(text);
say("asked", { answer, sources, link, status });
if (!votes.hidden) {
  votes.querySelector<HTMLElement>("[value=up]")!.click();
  await until(() => text("#status"));
  say("voted", { status: text("#status") });
}
await browser.close();
