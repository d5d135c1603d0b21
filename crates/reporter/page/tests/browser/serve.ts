// A stand-in for `maquette review`: the files of a page, and an api that a test gives.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname, join } from "node:path";

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".png": "image/png", ".webp": "image/webp" };

/** What the page of `crates/review` may do, as its guard says. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface Served {
  url: string;
  close(): void;
}

/** Answers a request for a path below `api/`, such as `picks`. */
export type Api = (path: string, request: IncomingMessage, response: ServerResponse) => unknown;

export async function serve(folder: string, api: Api): Promise<Served> {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url!, "http://page").pathname.replace(/^\/token\//, "");
    response.setHeader("content-security-policy", POLICY);
    if (path.startsWith("api/")) return void (await api(path.slice("api/".length), request, response));
    try {
      const file = readFileSync(join(folder, decodeURIComponent(path) || "index.html"));
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/html" }).end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/token/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export function json(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json").end(JSON.stringify(value));
}

export async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let body = "";
  for await (const part of request) body += part;
  return JSON.parse(body);
}

/** Opens the stream of events; the function that is returned tells one. */
export function events(request: IncomingMessage, response: ServerResponse, listeners: Set<(text: string) => void>): void {
  response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
  const send = (text: string) => response.write(text);
  listeners.add(send);
  request.on("close", () => listeners.delete(send));
}
