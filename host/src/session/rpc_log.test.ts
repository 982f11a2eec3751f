/** What the log of requests says of a real session, what it leaves out, and that it stays within its bounds. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { hide, shapeOf, type Shape } from "../rpc/hidden.ts";
import { accept, dial } from "./greet.ts";
import { CONTROLLER_METHODS, GUEST_METHODS, HOST_METHODS } from "./host_methods.ts";
import { change, read, stream } from "./method.ts";
import { type RpcLine, RpcLog } from "./rpc_log.ts";
import { type Session, serve } from "./session.ts";

const SECRET = "ab".repeat(32);
const METHODS = {
  tell: change(
    z.strictObject({ peers: z.array(z.strictObject({ name: z.string(), key: hide(z.string(), "a key").optional() })), text: z.string() }),
    z.strictObject({ token: hide(z.string(), "a token"), bytes: z.instanceof(Uint8Array) }),
  ),
  fail: read(z.strictObject({}), z.strictObject({})),
  wait: read(z.strictObject({}), z.strictObject({})),
  count: stream(z.strictObject({ to: z.int() }), z.strictObject({ n: z.int() }), z.strictObject({ sent: z.int() })),
};

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "nfa-rpc-log-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function session(log: RpcLog): Promise<Session<typeof METHODS>> {
  const [dialer, listener] = pair();
  const handlers = {
    tell: async () => ({ token: SECRET, bytes: new Uint8Array(1000) }),
    fail: async () => {
      throw new NfError("swap.entry", "no entry 'x'", { fix: "Mend it." });
    },
    wait: () => new Promise<never>(() => undefined),
    count: async ({ to }: { to: number }, sink: { send(item: { n: number }): Promise<void> }) => {
      for (let n = 0; n < to; n++) await sink.send({ n });
      return { sent: to };
    },
  };
  const [own] = await Promise.all([
    accept<typeof METHODS>(listener, async () => ({ serves: serve({}, {}), name: "h1" }), { calls: METHODS, name: "controller", tap: log.tap }),
    dial(dialer, serve(METHODS, handlers), { calls: {}, name: "h1" }),
  ]);
  return own;
}

/** Two ends of one connection. */
function pair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const make = (other: number): Duplex =>
    new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        ends[other]!.push(chunk);
        done();
      },
      final: (done) => {
        ends[other]!.push(null);
        done();
      },
    });
  ends.push(make(1), make(0));
  return ends as [Duplex, Duplex];
}

const lines = (path: string): RpcLine[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RpcLine);
const logIn = (path: string, more: { fileBytes?: number; onTrouble?: (why: NfError) => void } = {}): RpcLog =>
  new RpcLog(path, { name: "controller", asks: METHODS, serves: {}, onTrouble: () => undefined, ...more });

test("each request is a line with its answer, its sizes and its time; what the contract hides is not in it", async () => {
  const path = join(folder, "rpc.log");
  const log = logIn(path);
  const own = await session(log);
  await own.call("tell", { peers: [{ name: "h2", key: SECRET }], text: "x".repeat(5000) }, { key: "k1" });
  await expect(own.call("fail", {})).rejects.toMatchObject({ code: "swap.entry" });
  let items = 0;
  for await (const { type } of own.open("count", { to: 40 })) items += type === "item" ? 1 : 0;
  expect(items).toBe(40);
  const waits = own.call("wait", {});
  own.close();
  await expect(waits).rejects.toMatchObject({ code: "rpc.closed" });
  log.close();

  const [connected, told, failed, begun, ended, unanswered, closed, ...more] = lines(path);
  expect(more).toEqual([]);
  expect(connected).toMatchObject({ event: "connected", from: "h1", to: "controller" });
  expect(told).toMatchObject({ event: "answered", from: "controller", to: "h1", method: "tell", key: "k1", id: 1 });
  expect(told!.request).toEqual({ peers: [{ name: "h2", key: "(left out: a key)" }], text: `${"x".repeat(200)} … (4800 more characters)` });
  expect(told!.answer).toEqual({ token: "(left out: a token)", bytes: "(1000 bytes)" });
  expect(told!.request_bytes).toBeGreaterThan(5064);
  expect(told!.answer_bytes).toBeGreaterThan(1064);
  expect(told!.duration_ms).toBeGreaterThan(0);
  expect(failed).toMatchObject({ event: "answered", method: "fail", error: { code: "swap.entry", message: "no entry 'x'" } });
  expect(begun).toMatchObject({ event: "begun", method: "count", request: { to: 40 }, item: { n: 0 } });
  expect(ended).toMatchObject({ event: "ended", method: "count", items: 40, answer: { sent: 40 } });
  expect(unanswered).toMatchObject({ event: "unanswered", method: "wait" });
  expect(closed).toMatchObject({ event: "closed", why: expect.stringContaining("rpc.closed") as string });
  expect(readFileSync(path, "utf8")).not.toContain(SECRET);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("the file is bounded, and goes on from the last one; one that cannot be written is refused before anything begins", async () => {
  const path = join(folder, "rpc.log");
  const own = await session(logIn(path, { fileBytes: 4000 }));
  for (let i = 0; i < 60; i++) await own.call("tell", { peers: [], text: "y" }, { key: `k${i}` });
  own.close();
  for (const file of [path, `${path}.1`]) expect(statSync(file).size).toBeLessThanOrEqual(4000);
  const all = [...lines(`${path}.1`), ...lines(path)];
  expect(all.at(-2)).toMatchObject({ key: "k59" });
  expect(() => logIn(join(folder, "none", "rpc.log"))).toThrow(expect.objectContaining({ code: "host.permission" }) as Error);
});

test("what no schema knows is left out, and a line is bounded", async () => {
  const path = join(folder, "rpc.log");
  const log = logIn(path);
  const tap = log.tap({ name: "", software: "x", life: "y" });
  tap.sent({ t: "request", id: 1, method: "tell", params: { peers: [{ name: "a", secret: SECRET }], text: "z", more: SECRET } }, 1);
  tap.sent({ t: "request", id: 2, method: "other", params: { key: SECRET } }, 1);
  tap.sent(
    { t: "request", id: 3, method: "tell", params: { peers: Array.from({ length: 16 }, () => ({ name: "n".repeat(5000) })), text: "t".repeat(5000) } },
    1,
  );
  const long = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, "v".repeat(1000)]));
  tap.received({ t: "error", id: 3, error: { code: "usage", message: "m", given: JSON.stringify(long) } }, 1);
  tap.ended(new NfError("rpc.closed", "over"));
  log.close();
  const text = readFileSync(path, "utf8");
  expect(text).not.toContain(SECRET);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(16 << 10);
  expect(lines(path)[0]).toMatchObject({ from: "(a guest)" });
  expect(lines(path).find(({ id }) => id === 2)).toMatchObject({ event: "unanswered", request: "(no such method)" });
});

test("everything of the contract that may be a secret is hidden", () => {
  const open: string[] = [];
  const secret = /key|token|secret|private|password|certificate|^request$|config$/i;
  /** Five-tuples, and a digest by which one authority is told from another. */
  const known = ["flows.result.flows[].key"];
  const look = (shape: Shape, path: string): void => {
    if (shape.hidden !== undefined) return;
    if (secret.test(path.split(".").at(-1)!.replace("[]", "")) && !known.includes(path)) open.push(path);
    for (const [name, one] of Object.entries(shape.properties ?? {})) look(one, `${path}.${name}`);
    if (shape.items) look(shape.items, `${path}[]`);
    for (const one of [...(shape.anyOf ?? []), ...(shape.oneOf ?? [])]) look(one, path);
  };
  for (const [name, method] of Object.entries({ ...HOST_METHODS, ...CONTROLLER_METHODS, ...GUEST_METHODS })) {
    look(shapeOf(method.params), `${name}.params`);
    look(shapeOf(method.result), `${name}.result`);
    if (method.kind === "stream") look(shapeOf(method.item), `${name}.item`);
  }
  expect(open).toEqual([]);
});
