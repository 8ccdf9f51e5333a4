// Serves the page: `node serve.ts [PORT]`. Node takes the types out; nothing is built.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { stripTypeScriptTypes } from "node:module";

const files = ["index.html", "page.ts", "gyre.ts"];

const server = createServer(async (request, response) => {
  const name = new URL(request.url!, "http://page").pathname.slice(1) || "index.html";
  if (!files.includes(name)) return response.writeHead(404).end();
  const text = await readFile(new URL(name, import.meta.url), "utf8");
  const script = name.endsWith(".ts");
  const type = script ? "text/javascript" : "text/html";
  response.writeHead(200, { "content-type": `${type}; charset=utf-8` });
  response.end(script ? stripTypeScriptTypes(text) : text);
});
server.listen(Number(process.argv[2] ?? 5173), "127.0.0.1", () => {
  const { port } = server.address() as { port: number };
  console.log(`http://127.0.0.1:${port}/`);
});
