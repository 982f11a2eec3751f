import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
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

const handlers: Handlers = {
  info: async () => ({ name: "x", pid: 1, version: "0", chain: [] }),
  flows: async ({ limit }) => ({ flows: [], seen: limit, more: false }),
  swap: async ({ entry }) => {
    throw new NfError("swap.entry", `no entry '${entry}'`, { allowed: "fw", where: { file: "nfactor.yaml", line: 3, column: 5 } });
  },
};
const path = () => prepareSocketPath("x", { XDG_RUNTIME_DIR: folder });

test("requests are answered, errors keep code, place and what is allowed", async () => {
  server = await ControlServer.listen(path(), handlers);
  const client = await ControlClient.connect(server.path);
  expect(await client.call("flows", { match: [], limit: 7 })).toEqual({ flows: [], seen: 7, more: false });
  const swap = client.call("swap", { entry: "nat", artifact: new Uint8Array(70_000), folder: "", dry_run: false });
  await expect(swap).rejects.toMatchObject({ code: "swap.entry", message: "no entry 'nat'", allowed: "fw", where: { line: 3 } });
  client.close();
});

test("only this user can reach the socket, and it goes away", async () => {
  server = await ControlServer.listen(path(), handlers);
  expect(statSync(server.path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(server.path)).mode & 0o777).toBe(0o700);
  await server.close();
  expect(existsSync(server.path)).toBe(false);
  server = undefined;
});

test("a second host of the same name is refused, a dead socket is replaced", async () => {
  server = await ControlServer.listen(path(), handlers);
  await expect(ControlServer.listen(path(), handlers)).rejects.toMatchObject({ code: "host.socket" });
  await server.close();
  writeFileSync(path(), "");
  server = await ControlServer.listen(path(), handlers);
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
  server = await ControlServer.listen(path(), handlers);
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
