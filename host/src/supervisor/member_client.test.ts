import { mkdtempSync, rmSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LINE_BYTES_MAX } from "./line_reader.ts";
import { MemberClient, MemberTimeout } from "./member_client.ts";
import type { MemberEvent } from "./member_messages.ts";

let folder: string;
let server: Server;
let client: MemberClient;
let peer: Socket;
let asked: Record<string, unknown>[];
let events: MemberEvent[];
let closed: (NfError | undefined)[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "nfa-member-"));
  [asked, events, closed] = [[], [], []];
  const path = join(folder, "control");
  const connected = new Promise<Socket>((done) => (server = createServer(done)));
  await new Promise<void>((done) => server.listen(path, done));
  const mine = closed;
  const options = {
    who: "runtime 2 (pid 7)",
    onEvent: (event: MemberEvent) => events.push(event),
    onClose: (cause: NfError | undefined) => mine.push(cause),
  };
  client = await MemberClient.connect(path, options);
  peer = await connected;
  peer.on("data", (chunk: Buffer) =>
    asked.push(
      ...chunk
        .toString()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    ),
  );
  peer.on("error", () => undefined);
});
afterEach(() => {
  client.close();
  peer.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((done) => setTimeout(done, 2));
  expect(condition()).toBe(true);
};
const say = (message: unknown): void => void peer.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`);
const REPORT = { moved: 3, failed: 0, reason: "none", drained: true, undrained: false, durationNs: "18446744073709551615" };

test("questions have numbers, answers come in any order, 64-bit numbers and bytes go through as text", async () => {
  const first = client.ask("migrate", { to: 3, flowIds: [1n, 18446744073709551615n], bytes: new Uint8Array([1, 255]) });
  const second = client.ask("undrain");
  await until(() => asked.length === 2);
  expect(asked).toEqual([
    { id: 1, do: "migrate", to: 3, flowIds: ["1", "18446744073709551615"], bytes: "01ff" },
    { id: 2, do: "undrain" },
  ]);
  say({ id: 2, ok: {} });
  say({ id: 1, ok: REPORT });
  expect(await second).toEqual({});
  expect(await first).toEqual({ ...REPORT, durationNs: 18446744073709551615n });
});

test("a refusal keeps its code and says what to do; one with a code of another world is ours", async () => {
  const one = client.ask("drain", { to: [2] });
  const two = client.ask("drain", { to: [2] });
  say({ id: 1, error: { code: "runtime.limit", message: "16 operations go on" } });
  say({ id: 2, error: { code: "runtime.tired", message: "no" } });
  await expect(one).rejects.toMatchObject({ code: "runtime.limit", message: "16 operations go on", fix: expect.stringContaining("Remove") as string });
  await expect(two).rejects.toMatchObject({ code: "internal", message: "runtime.tired: no" });
});

test("events come as they are said", async () => {
  say({ event: "ready", member: 2, incarnation: 9 });
  say({ event: "member_lost", member: 1, incarnation: 4, why: "silence", new_field: 1 });
  say({ event: "nf", of: { type: "log", entry: "fw", level: 1, text: "x", lost: 0, nowNs: "5" } });
  say({ event: "ended", error: { code: "port.start", message: "gone" } });
  await until(() => events.length === 4);
  expect(events).toEqual([
    { event: "ready", member: 2, incarnation: 9 },
    { event: "member_lost", member: 1, incarnation: 4, why: "silence" },
    { event: "nf", of: { type: "log", entry: "fw", level: 1, text: "x", lost: 0, nowNs: 5n } },
    { event: "ended", error: { code: "port.start", message: "gone" } },
  ]);
});

test("no answer in time is an error of its own, and a late answer is nobody's", async () => {
  await expect(client.ask("undrain", {}, 10)).rejects.toBeInstanceOf(MemberTimeout);
  say({ id: 1, ok: {} });
  const next = client.ask("undrain");
  say({ id: 2, ok: {} });
  expect(await next).toEqual({});
  expect(client.isOpen).toBe(true);
});

test("a member that ends takes everybody who waits with it", async () => {
  const waiting = [client.ask("undrain"), client.ask("migrate", {}, Number.POSITIVE_INFINITY)];
  peer.end();
  for (const one of waiting) await expect(one).rejects.toThrow("runtime 2 (pid 7) ended before it answered");
  await until(() => closed.length === 1);
  expect(closed).toEqual([undefined]);
  await expect(client.ask("status")).rejects.toThrow("ended before it answered 'status'");
});

test.each([
  ["no JSON", "what?", "is no JSON"],
  ["no object", "5", "is no object"],
  ["an unknown event", { event: "dance" }, "says what is not understood"],
  ["an event without its fields", { event: "link", member: 1 }, "incarnation"],
  ["an answer without a number", { ok: {} }, "is neither an answer nor an event"],
  ["an answer to nothing", { id: 99, ok: {} }, "answers what was not asked"],
  ["a wrong answer", { id: 1, ok: { ...REPORT, durationNs: 5 } }, "as an answer to 'drain': durationNs"],
  ["a negative count", { id: 1, ok: { ...REPORT, moved: -1 } }, "as an answer to 'drain': moved"],
  ["a line that does not end", "x".repeat(LINE_BYTES_MAX + 1), `more than ${LINE_BYTES_MAX} bytes`],
])("%s ends the connection, with the reason for all who wait", async (_, message, why) => {
  const waiting = client.ask("drain", { to: [] });
  say(message);
  await expect(waiting).rejects.toThrow(why);
  await until(() => closed.length === 1);
  expect(closed[0]).toBeInstanceOf(NfError);
  expect(closed[0]!.code).toBe("host.socket");
  expect(client.isOpen).toBe(false);
});

test("nobody there", async () => {
  const options = { who: "the vswitch (pid 1)", onEvent: () => undefined, onClose: () => undefined };
  await expect(MemberClient.connect(join(folder, "nobody"), options)).rejects.toMatchObject({ code: "host.socket" });
});
