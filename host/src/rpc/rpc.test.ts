import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LiveRuntimes } from "../control/live_runtimes.ts";
import { LiveTrace } from "../control/live_trace.ts";
import { TenantInMemory } from "../control/testing.ts";
import { ControlClient } from "./client.ts";
import { FRAME_BYTES_MAX, FrameReader, packFrame } from "./frame.ts";
import { ControlServer, type Handlers } from "./server.ts";
import { prepareSocketPath } from "./socket_path.ts";

let folder: string;
let server: ControlServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nfa-rpc-"));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

let tenant: TenantInMemory;
beforeEach(() => {
  tenant = new TenantInMemory(2, [{ runtime: 1, port: 1000 }]);
});
const handlersOf = (parts: Partial<Handlers> = {}): Handlers => ({
  ...new LiveRuntimes({ dataplane: tenant.dataplane, chain: [], say: () => undefined }),
  ...new LiveTrace({ dataplane: tenant.dataplane, chain: [], say: () => undefined }),
  info: async () => ({ name: "x", pid: 1, version: "0", chain: [] }),
  flows: async ({ limit }) => ({ flows: [], seen: limit, more: false }),
  swap: async ({ entry }) => {
    throw new NfError("swap.entry", `no entry '${entry}'`, { allowed: "fw", where: { file: "nfactor.yaml", line: 3, column: 5 } });
  },
  ...parts,
});
const path = () => prepareSocketPath("x", { XDG_RUNTIME_DIR: folder });

test("requests are answered, errors keep code, place and what is allowed", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  const client = await ControlClient.connect(server.path);
  expect(await client.call("flows", { match: [], limit: 7 })).toEqual({ flows: [], seen: 7, more: false });
  const swap = client.call("swap", { entry: "nat", artifact: new Uint8Array(70_000), folder: "", dry_run: false });
  await expect(swap).rejects.toMatchObject({ code: "swap.entry", message: "no entry 'nat'", allowed: "fw", where: { line: 3 } });
  client.close();
});

test("who does not read its answers is not worked for any further, and gets all of them when it does", async () => {
  const asked = 12;
  let answered = 0;
  const name = "x".repeat(1_000_000);
  server = await ControlServer.listen(path(), handlersOf({ info: async () => ({ name, pid: ++answered, version: "0", chain: [] }) }));
  const socket = connect(server.path);
  for (let id = 1; id <= asked; id++) socket.write(packFrame({ v: 1, id, method: "info", params: {} }));
  await new Promise((done) => setTimeout(done, 300));
  expect(answered).toBeGreaterThan(0);
  expect(answered).toBeLessThan(asked / 2);
  const reader = new FrameReader();
  let read = 0;
  await new Promise<void>((done) => socket.on("data", (chunk) => (read += reader.push(chunk).length) === asked && done()));
  expect(answered).toBe(asked);
  socket.destroy();
});

test("only this user can reach the socket, and it goes away", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  expect(statSync(server.path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(server.path)).mode & 0o777).toBe(0o700);
  await server.close();
  expect(existsSync(server.path)).toBe(false);
  server = undefined;
});

test("a second host of the same name is refused, a dead socket is replaced", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  await expect(ControlServer.listen(path(), handlersOf())).rejects.toMatchObject({ code: "host.socket" });
  await server.close();
  writeFileSync(path(), "");
  server = await ControlServer.listen(path(), handlersOf());
});

test("a folder that others could use is refused", () => {
  chmodSync(dirname(path()), 0o755);
  expect(() => path()).toThrow(/open to other users/);
});

test("a folder that is a link is refused", () => {
  symlinkSync("/tmp", join(folder, `nfactor-${process.getuid!()}`));
  expect(() => path()).toThrow(/is not a folder/);
});

test("garbage and giant frames end the connection, not the host", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  for (const garbage of [
    Buffer.from([0xff, 0xff, 0xff, 0xff, 1]),
    Buffer.from([1, 0, 0, 0, 0xc1]),
    Buffer.concat([packFrame({ v: 9, id: 1, method: "info", params: {} })]),
  ]) {
    const answer = await new Promise<unknown>((done, fail) => {
      const socket = connect(server!.path);
      const reader = new FrameReader();
      socket.on("connect", () => socket.write(garbage));
      socket.on("data", (chunk) => {
        const [message] = reader.push(chunk);
        if (message === undefined) return;
        socket.destroy();
        done(message);
      });
      socket.on("error", fail);
    });
    expect(answer).toMatchObject({ error: { code: "host.socket" } });
  }
  const client = await ControlClient.connect(server.path);
  expect(await client.call("info", {})).toMatchObject({ name: "x" });
  client.close();
});

test("a connection that has ended answers no request, and says so", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  const client = await ControlClient.connect(server.path);
  await client.call("info", {});
  await server.close();
  server = undefined;
  await new Promise((done) => setTimeout(done, 50));
  await expect(client.call("info", {})).rejects.toMatchObject({ code: "host.not_running" });
}, 10_000);

test("a client too many is told so, and others go on", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  const clients: ControlClient[] = [];
  for (let i = 0; i < 18; i++) clients.push(await ControlClient.connect(server.path));
  const results = await Promise.allSettled(clients.map((client) => client.call("info", {})));
  expect(results.slice(0, 16).every(({ status }) => status === "fulfilled")).toBe(true);
  for (const result of results.slice(16))
    expect(result).toMatchObject({ reason: { code: "host.socket", message: expect.stringContaining("all that it serves") as string } });
  for (const client of clients) client.close();
});

test("a drain that lasts holds nobody up, and its result comes to whoever has asked for it", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  const [patient, other] = await Promise.all([ControlClient.connect(server.path), ControlClient.connect(server.path)]);
  let open = (): void => undefined;
  tenant.gate = new Promise<void>((done) => (open = done));
  let ended = false;
  const drain = patient.call("drain", { runtime: 1, to: [], dry_run: false }).finally(() => (ended = true));
  while (tenant.calls.length === 0) await new Promise((done) => setTimeout(done, 1));
  expect((await other.call("runtimes", {})).runtimes[1]).toMatchObject({ runtime: 1, state: "draining", flows: 1 });
  expect(await other.call("add_runtime", {})).toMatchObject({ runtime: 3 });
  expect(ended).toBe(false);
  open();
  expect(await drain).toMatchObject({ runtime: 1, to: [2], moved: 1, drained: true });
  patient.close();
  other.close();
});

test("what changes the host is done one after the other, also after a failure", async () => {
  const order: string[] = [];
  const step = async (name: string): Promise<never> => {
    order.push(`${name} begins`);
    await new Promise((done) => setTimeout(done, 20));
    order.push(`${name} ends`);
    throw new NfError("runtime.limit", "no more");
  };
  server = await ControlServer.listen(path(), handlersOf({ add_runtime: () => step("add"), remove_runtime: () => step("remove") }));
  const clients = await Promise.all([1, 2, 3].map(() => ControlClient.connect(server!.path)));
  const results = await Promise.allSettled([
    clients[0]!.call("add_runtime", {}),
    clients[1]!.call("remove_runtime", { runtime: 1, force: true, dry_run: false }),
    clients[2]!.call("add_runtime", {}),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  for (let i = 0; i < order.length; i += 2) expect(order[i]!.replace("begins", "ends")).toBe(order[i + 1]);
  expect(order).toHaveLength(6);
  for (const client of clients) client.close();
});

test("requests about runtimes that are out of bounds do not reach the host", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  const client = await ControlClient.connect(server.path);
  const flows = { all: true } as const;
  for (const [method, params] of [
    ["migrate", { from: 1, to: 2, flows: { count: 0 }, dry_run: false }],
    ["migrate", { from: 1, to: 2, flows: { count: 1, all: true }, dry_run: false }],
    ["migrate", { from: 1.5, to: 2, flows, dry_run: false }],
    ["migrate", { from: -1, to: 2, flows, dry_run: false }],
    ["migrate", { from: 1, to: 2, flows: { match: [] }, dry_run: false }],
    ["drain", { runtime: 1, to: Array.from({ length: 17 }, () => 2), dry_run: false }],
    ["undrain", { runtime: 70_000 }],
  ] as const)
    await expect(client.call(method, params as never), JSON.stringify(params)).rejects.toMatchObject({ code: "host.socket" });
  expect(tenant.calls).toEqual([]);
  client.close();
});

test("what a newer host answers is taken without the fields that are not known, and an error without knowing its code", async () => {
  const newer = createServer((socket) => {
    const reader = new FrameReader();
    socket.on("data", (chunk) => {
      for (const { id, method } of reader.push(chunk) as { id: number; method: string }[]) {
        const entry = { entry: "fw", nf: "firewall", version: "1.0.0", digest: "d", since: 5 };
        const result = { name: "x", pid: 1, version: "9", chain: [entry], uptime: 7 };
        const error = { code: "swap.too_new", message: "not now", more: 1 };
        socket.write(packFrame({ v: 1, id, more: 1, ...(method === "info" ? { result } : { error }) }));
      }
    });
  });
  await new Promise<void>((done) => newer.listen(path(), done));
  const client = await ControlClient.connect(path());
  try {
    const chain = [{ entry: "fw", nf: "firewall", version: "1.0.0", digest: "d" }];
    expect(await client.call("info", {})).toEqual({ name: "x", pid: 1, version: "9", chain });
    await expect(client.call("peers", {})).rejects.toMatchObject({ code: "internal", message: "not now (swap.too_new)" });
  } finally {
    client.close();
    await new Promise((done) => newer.close(done));
  }
});

test("what a newer command asks for with a field that is not known is refused, with its name, and not done", async () => {
  server = await ControlServer.listen(path(), handlersOf());
  const client = await ControlClient.connect(server.path);
  await expect(client.call("undrain", { runtime: 1, softly: true } as never)).rejects.toMatchObject({
    ...{ code: "host.socket", message: expect.stringContaining("softly") as string },
  });
  expect(tenant.calls).toEqual([]);
  client.close();
});

test("frames arrive whole however they are cut", () => {
  const values = [{ a: 1 }, [1, "ü", null], new Uint8Array(5000), { big: 1n << 60n }];
  const all = Buffer.concat(values.map(packFrame));
  for (const step of [1, 3, 7, 4096]) {
    const reader = new FrameReader();
    const got: unknown[] = [];
    for (let at = 0; at < all.length; at += step) got.push(...reader.push(all.subarray(at, at + step)));
    expect(got.map((v) => (v instanceof Uint8Array ? v.length : v))).toEqual([{ a: 1 }, [1, "ü", null], 5000, { big: 1n << 60n }]);
    expect(reader.pending).toBe(0);
  }
  expect(() => packFrame(new Uint8Array(FRAME_BYTES_MAX + 1))).toThrow(/too long/);
});
