/** An agent over loopback, spoken to by whoever has its key, in words that are right and wrong. What it does with processes is in test/e2e/two_hosts.test.ts. */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseEndpoint } from "../config/endpoint.ts";
import type { NfSpec } from "../dataplane/native_types.ts";
import type { Purpose } from "../supervisor/agent_messages.ts";
import { connectAgent, readAnswer, readKey, readLine } from "../supervisor/agent_tls.ts";
import { RemoteAgent } from "../supervisor/remote_agent.ts";
import { Agent } from "./agent.ts";

const KEY = Buffer.alloc(32, 1);
const RUN = "a".repeat(64);
let folder: string;
let agent: Agent | undefined;
let port: number;
let said: string[];
let runtimeFolder: string | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "nfa-agent-"));
  [runtimeFolder, process.env["XDG_RUNTIME_DIR"]] = [process.env["XDG_RUNTIME_DIR"], folder];
  said = [];
  port = await freePort();
  agent = await startAgent();
});
afterEach(() => {
  agent?.leave();
  if (runtimeFolder === undefined) delete process.env["XDG_RUNTIME_DIR"];
  else process.env["XDG_RUNTIME_DIR"] = runtimeFolder;
  rmSync(folder, { recursive: true });
});

const startAgent = (): Promise<Agent> => Agent.start({ listen: { host: "127.0.0.1", port }, key: KEY, iface: "lo", say: (text) => said.push(text) });
const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" ? address!.port : 0));
    });
  });
const say = <P extends Purpose>(purpose: P, { host = "x", tenancy = RUN, key = KEY } = {}) =>
  connectAgent({ host: "127.0.0.1", port }, key, "the agent", { host, tenancy }, purpose);
const remote = (tenancy = RUN, key = KEY): RemoteAgent => {
  const spec = { address: `127.0.0.1:${port}`, key, iface: "lo", runtimes: 1 };
  return new RemoteAgent(spec, { host: "x", tenancy }, (text) => said.push(text));
};

test("a supervisor is welcome, is told of the interface, and gets a report", async () => {
  const supervisor = remote();
  expect(await supervisor.connect()).toEqual([]);
  expect(supervisor.there).toEqual({ iface: "lo", mtu: 65536 });
  expect(said).toContain("the supervisor of 'x' is connected");
  await expect(supervisor.order("prepare", { core: RUN, config: RUN })).rejects.toThrow(`file ${RUN} was not sent`);
  await expect(supervisor.attach({ member: 2, incarnation: 3 })).rejects.toThrow("runtime 2 of 'x' does not listen");
  supervisor.close();
  await expect(supervisor.order("report", {})).rejects.toThrow("is not reachable");
});

test("without the key nobody is let in", async () => {
  const refused = say({ for: "orders" }, { key: Buffer.alloc(32, 2) });
  await expect(refused).rejects.toThrow("the agent is not reachable: the two sides have different keys");
  expect(said.join("\n")).toContain("127.0.0.1 was not let in: the two sides have different keys");
});

test("whoever comes again has the say, and one of another run only when nobody else has it", async () => {
  const first = remote();
  await first.connect();
  const again = remote();
  await again.connect();
  expect(await again.order("report", {})).toEqual({ lives: [] });
  await expect(remote("b".repeat(64)).connect()).rejects.toThrow("another supervisor has runtimes of a host 'x' here");
  await expect(say({ for: "file", sha256: RUN, bytes: 1 }, { tenancy: "b".repeat(64) })).rejects.toThrow("are of another run of it");
  first.close();
  again.close();
  await expect.poll(() => said.includes("the supervisor of 'x' is gone")).toBe(true);
  const other = remote("b".repeat(64));
  expect(await other.connect()).toEqual([]);
  other.close();
});

test("a tenant whose supervisor is gone and who has nothing here makes room for the next", async () => {
  const folders = (): number => readdirSync(join(folder, `nfactor-${process.getuid!()}`)).length;
  const held = await Promise.all(Array.from({ length: 15 }, (_, i) => say({ for: "orders" }, { host: `held${i}` })));
  for (let i = 0; i < 3; i++) {
    const { socket } = await say({ for: "orders" }, { host: `brief${i}` });
    socket.destroy();
    await expect.poll(() => said.includes(`the supervisor of 'brief${i}' is gone`)).toBe(true);
  }
  expect(folders()).toBe(16);
  const last = await say({ for: "orders" }, { host: "last" });
  await expect(say({ for: "orders" }, { host: "one-too-many" })).rejects.toThrow("there are 16 tenants here, which is all");
  for (const { socket } of [...held, last]) socket.destroy();
});

test("a file arrives whole or not at all, and once", async () => {
  const bytes = Buffer.alloc(3_000_000, 7);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const kept = (): string[] => readdirSync(join(folder, `nfactor-${process.getuid!()}`, "x.agent")).filter((file) => file.endsWith(".bin"));
  remote().close();
  const orders = await say({ for: "orders" });
  const wrong = await say({ for: "file", sha256, bytes: 5 });
  wrong.socket.write("12345");
  await expect(readAnswer(wrong.socket, "the agent", 5000)).rejects.toThrow("what came is not the file that was announced");
  expect(kept()).toEqual([]);
  const right = await say({ for: "file", sha256, bytes: bytes.length });
  expect(right.greeting).toEqual({ send: true });
  right.socket.write(bytes);
  await readAnswer(right.socket, "the agent", 5000);
  expect(kept()).toEqual([`${sha256}.bin`]);
  expect((await say({ for: "file", sha256, bytes: bytes.length })).greeting).toEqual({ send: false });
  orders.socket.destroy();
});

test("of files those stay that were wanted last, and none when nobody is there who could start something with them", async () => {
  const files = Array.from({ length: 140 }, (_, i) => Buffer.from(`file ${i}`));
  const nameOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const kept = (): Set<string> =>
    new Set(readdirSync(join(folder, `nfactor-${process.getuid!()}`, "x.agent")).flatMap((file) => /^(.+)\.bin$/.exec(file)?.[1] ?? []));
  const send = async (bytes: Buffer): Promise<boolean> => {
    const { socket, greeting } = await say({ for: "file", sha256: nameOf(bytes), bytes: bytes.length });
    if (greeting.send) {
      socket.write(bytes);
      await readAnswer(socket, "the agent", 5000);
    }
    socket.destroy();
    return greeting.send;
  };
  const orders = await say({ for: "orders" });
  for (const [i, bytes] of files.entries()) {
    expect(await send(bytes)).toBe(true);
    // The first one is part of every chain.
    if (i % 10 === 0) expect(await send(files[0]!)).toBe(false);
  }
  expect(kept().size).toBe(128);
  for (const bytes of [files[0]!, ...files.slice(-100)]) expect(kept()).toContain(nameOf(bytes));
  orders.socket.destroy();
  await expect.poll(() => kept().size).toBe(0);
});

test("what an agent has let go of since it was sent is sent again when it is wanted", async () => {
  const supervisor = remote();
  await supervisor.connect();
  const path = (bytes: string): string => join(folder, `nfactor-${process.getuid!()}`, "x.agent", `${createHash("sha256").update(bytes).digest("hex")}.bin`);
  const nf = { entry: "a", version: "1.0.0", digest: "d", core: Buffer.from("no module"), config: Buffer.from("{}") } as unknown as NfSpec;
  const tried = (): Promise<unknown> => supervisor.nfFiles(nf).catch((error: NfError) => error.message);
  const why = await tried();
  for (const bytes of ["no module", "{}"]) rmSync(path(bytes));
  expect(await tried()).toBe(why);
  expect(existsSync(path("no module"))).toBe(true);
  supervisor.close();
});

test.each([
  ["another version", '{"v":2,"for":"dance"}', "this agent speaks version 1, not 2"],
  ["no JSON", "hello", "what comes first is not understood: hello"],
  ["a name that is a path", JSON.stringify({ v: 1, for: "orders", host: "../x", tenancy: RUN }), "what comes first is not understood"],
  ["a file without end", JSON.stringify({ v: 1, for: "file", host: "x", tenancy: RUN, sha256: RUN, bytes: 1e12 }), "what comes first is not understood"],
  ["a line without end", "x".repeat(100_000), "the other side says more than a line"],
])("a first line that is wrong is answered with what is wrong: %s", async (_, line, message) => {
  const ciphers = "ECDHE-PSK-CHACHA20-POLY1305";
  const socket = connect({
    ...{ host: "127.0.0.1", port, ciphers, maxVersion: "TLSv1.2" },
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: KEY, identity: "nfactor-agent-1" }),
  });
  socket.on("error", () => undefined);
  socket.write(`${line}\n`);
  expect(JSON.parse(await readLine(socket, "the agent", 5000))).toMatchObject({ error: { message: expect.stringContaining(message) as string } });
  socket.destroy();
});

test("orders that are not understood end the connection, and nothing else", async () => {
  for (const line of ["dance", '{"id":1,"do":"dance"}', "x".repeat(2_000_000)]) {
    const { socket } = await say({ for: "orders" });
    const closed = new Promise<void>((done) => socket.once("close", done));
    socket.resume();
    socket.write(`${line}\n`);
    await closed;
  }
  const { socket } = await say({ for: "orders" });
  socket.write(`${JSON.stringify({ id: 1, do: "kill", member: "2" })}\n`);
  expect(JSON.parse(await readLine(socket, "the agent", 5000))).toMatchObject({ id: 1, error: { code: "internal" } });
  socket.destroy();
});

test("a supervisor whose agent comes back later is told, and goes on", async () => {
  const supervisor = remote();
  await supervisor.connect();
  agent!.leave();
  agent = undefined;
  await expect.poll(() => supervisor.isReachable).toBe(false);
  expect(existsSync(join(folder, `nfactor-${process.getuid!()}`, "x.agent"))).toBe(false);
  const waits = supervisor.reachable();
  agent = await startAgent();
  await waits;
  expect(await supervisor.order("report", {})).toEqual({ lives: [] });
  supervisor.close();
});

test("key files: made by this user, closed to others, with a key in them", () => {
  const path = join(folder, "key");
  const code = (): string => {
    try {
      return readKey(path).toString("hex");
    } catch (error) {
      return error instanceof NfError ? `${error.message} ${error.fix ?? ""}` : String(error);
    }
  };
  expect(code()).toContain("cannot be read");
  expect(code()).toContain("openssl rand -hex 32");
  writeFileSync(path, "secret", { mode: 0o600 });
  expect(code()).toContain("holds no key");
  writeFileSync(path, ` ${"0A".repeat(32)}\n`);
  expect(code()).toBe("0a".repeat(32));
  chmodSync(path, 0o640);
  expect(code()).toContain("is open to other users");
  rmSync(path);
  symlinkSync("/nowhere", path);
  expect(code()).toContain("cannot be read");
});

test.each([
  ["10.0.0.2:7700", { host: "10.0.0.2", port: 7700 }],
  ["[fd00::2]:1", { host: "fd00::2", port: 1 }],
  ["far.example:65535", { host: "far.example", port: 65535 }],
  ["10.0.0.2", undefined],
  ["fd00::2:7700", undefined],
  ["10.0.0.2:0", undefined],
  ["10.0.0.2:65536", undefined],
  ["a b:1", undefined],
])("%s is an address of an agent, or is not", (text, endpoint) => {
  expect(parseEndpoint(text)).toEqual(endpoint);
});
