/** The client against a server that does what it is told: answers, errors, breaks, silence. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NfError } from "@nfactor/sdk/errors";
import { ApiClient } from "./api_client.ts";

let server: Server;
let client: ApiClient;
let asked: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = new ApiClient({ api: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: "t0ken", timeoutMs: 5000 });
});
afterEach(() => {
  client.close();
  server.closeAllConnections();
  server.close();
});

const failing = async (promise: Promise<unknown>): Promise<NfError> =>
  promise.then(
    () => {
      throw new Error("it should fail");
    },
    (error: NfError) => error,
  );
const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};

test("asks with the token, and reads JSON", async () => {
  answer = (_, response) => json(response, 200, { ok: true });
  expect(await client.get("/v1/x", { query: { a: "ü&", b: undefined, c: 2 } })).toEqual({ ok: true });
  expect(asked[0]).toMatchObject({ url: "/v1/x?a=%C3%BC%26&c=2", headers: { authorization: "Bearer t0ken" } });
});

test("many questions over one connection leave nothing behind with it", async () => {
  answer = (_, response) => json(response, 200, {});
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", onWarning);
  for (let i = 0; i < 20; i++) await client.get("/v1/x");
  await new Promise((done) => setImmediate(done));
  process.off("warning", onWarning);
  expect(new Set(asked.map(({ socket }) => socket)).size).toBe(1);
  expect(warnings).toEqual([]);
});

test("over a socket of the machine, too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nfa-api-"));
  const path = join(folder, "api.sock");
  const other = createServer((_, response) => json(response, 200, ["here"]));
  other.listen(path);
  await once(other, "listening");
  const unix = new ApiClient({ api: `unix:${path}` });
  expect(await unix.get("/")).toEqual(["here"]);
  unix.close();
  other.close();
  rmSync(folder, { recursive: true, force: true });
});

test("what the API refuses has its code, its message and its fix, made harmless", async () => {
  answer = (_, response) => json(response, 409, { error: { code: "store.stale", message: "changed \u001b[2Jmeanwhile", fix: "Read it again\u0007" } });
  const error = await failing(client.call("/v1/x", { method: "PUT", body: {} }));
  expect(error).toMatchObject({ code: "store.stale", message: "changed \\u{1b}[2Jmeanwhile", fix: "Read it again\\u{7}" });
});

test("a code of a newer controller is told in words", async () => {
  answer = (_, response) => json(response, 400, { error: { code: "new.thing", message: "odd" } });
  expect(await failing(client.get("/"))).toMatchObject({ code: "cli.answer", message: "[new.thing] odd" });
});

test.each([
  ["no JSON", (response: ServerResponse) => void response.end("<html>"), "is no JSON"],
  ["an error without a body", (response: ServerResponse) => void response.writeHead(502).end(), "with 502: nothing"],
  ["an error of another kind", (response: ServerResponse) => json(response, 500, { message: "x" }), "with 500"],
])("an answer that is none: %s", async (_, write, message) => {
  answer = (_request, response) => write(response);
  const error = await failing(client.get("/"));
  expect(error).toMatchObject({ code: "cli.answer" });
  expect(error.message).toContain(message);
});

test("a read that breaks is repeated once, a change is not", async () => {
  answer = (request, response) => (asked.length === 1 ? request.socket.destroy() : json(response, 200, 1));
  expect(await client.get("/")).toBe(1);
  asked = [];
  answer = (request) => void request.socket.destroy();
  expect(await failing(client.get("/"))).toMatchObject({ code: "cli.unreachable" });
  expect(asked).toHaveLength(2);
  asked = [];
  const error = await failing(client.call("/", { method: "POST", body: {} }));
  expect(error).toMatchObject({ code: "cli.unreachable", fix: expect.stringContaining("may have been done") as string });
  expect(asked).toHaveLength(1);
});

test("a deadline: for a change it is said that it may go on there", async () => {
  answer = () => undefined;
  expect(await failing(client.get("/", { timeoutMs: 30 }))).toMatchObject({ code: "cli.timeout", message: "there was no answer within 0.03 s" });
  const error = await failing(client.call("/", { method: "PUT", body: {}, timeoutMs: 30 }));
  expect(error.fix).toContain("may go on with it");
});

test("an answer that stops half way counts as broken", async () => {
  answer = (request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("{");
    setImmediate(() => request.socket.destroy());
  };
  expect(await failing(client.get("/"))).toMatchObject({ code: "cli.unreachable" });
});

test("nothing listens: what to run", async () => {
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const error = await failing(new ApiClient({ api: `http://127.0.0.1:${port}` }).get("/"));
  expect(error).toMatchObject({
    code: "cli.unreachable",
    message: `nothing listens at http://127.0.0.1:${port}`,
    fix: expect.stringContaining("nfactor up") as string,
  });
});

test("a stream, however it is cut, until its end", async () => {
  answer = (_, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    for (const piece of ['{"event":"hop","da', 'ta":1}\n\n\n{"event":"hop","id":7,"data":"ü', '"}\n{"event":"end","data":{}}\n']) response.write(piece);
    response.end();
  };
  const events = [];
  for await (const event of client.stream("/")) events.push(event);
  expect(asked[0]!.headers.accept).toBe("application/x-ndjson");
  expect(events).toEqual([
    { event: "hop", data: 1 },
    { event: "hop", id: 7, data: "ü" },
  ]);
});

test("a stream that just stops was cut off, and one that ends with an error says which", async () => {
  const all = async (): Promise<void> => {
    for await (const item of client.stream("/")) expect(item.event).toBe("hop");
  };
  answer = (_, response) => response.writeHead(200, { "content-type": "application/x-ndjson" }).end('{"event":"hop","data":1}\n');
  expect(await failing(all())).toMatchObject({ code: "cli.unreachable" });
  answer = (_, response) =>
    response
      .writeHead(200, { "content-type": "application/x-ndjson" })
      .end('{"event":"error","data":{"status":503,"error":{"code":"rpc.slow","message":"too slow"}}}\n');
  expect(await failing(all())).toMatchObject({ code: "rpc.slow", message: "too slow" });
});

test("a change that lasts tells how far it is, and ends with its result, or with what the API refuses it with", async () => {
  answer = (_, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.end('{"event":"progress","data":{"text":"begun"}}\n{"event":"result","data":{"done":true}}\n');
  };
  const told: unknown[] = [];
  expect(await client.change("/", { method: "PUT", body: {}, onProgress: (data) => told.push(data) })).toEqual({ done: true });
  expect(told).toEqual([{ text: "begun" }]);
  answer = (_, response) => json(response, 409, { error: { code: "cluster.port", message: "taken" } });
  expect(await failing(client.change("/", { method: "PUT", body: {} }))).toMatchObject({ code: "cluster.port" });
});
