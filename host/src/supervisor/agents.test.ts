/** Which agents are spoken to as runtimes come and go, with agents over loopback. Their processes are in test/e2e/two_hosts.test.ts. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { Agents } from "./agents.ts";
import { RunFolder } from "./run_folder.ts";
import type { Elsewhere } from "./state_file.ts";
import type { TenantSpec } from "./tenant_spec.ts";

const KEY = "01".repeat(32);
const INPUT = { kind: "capture" } as never;
let folder: string;
let run: RunFolder;
let runtimeFolder: string | undefined;
let agent: Agent;
let port: number;
let said: string[];
let elsewhere: Elsewhere;
let removed: number[];
let saves: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "nfa-agents-"));
  [runtimeFolder, process.env["XDG_RUNTIME_DIR"]] = [process.env["XDG_RUNTIME_DIR"], folder];
  [said, removed, saves] = [[], [], 0];
  elsewhere = { peers: [], placed: [] };
  run = RunFolder.hold("x");
  port = await new Promise<number>((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" ? address!.port : 0));
    });
  });
  agent = await Agent.start({ listen: { host: "127.0.0.1", port }, key: Buffer.from(KEY, "hex"), iface: "lo", say: (text) => said.push(text) });
});
afterEach(() => {
  agent.leave();
  if (runtimeFolder === undefined) delete process.env["XDG_RUNTIME_DIR"];
  else process.env["XDG_RUNTIME_DIR"] = runtimeFolder;
  rmSync(folder, { recursive: true });
});

const make = (configured: { address: string; runtimes: number }[] = []): Agents => {
  const agents = configured.map((one) => ({ ...one, key: Buffer.from(KEY, "hex"), iface: "lo" }));
  const options = { spec: { agents } as unknown as TenantSpec, runtimes: 3, folder: run, say: (text: string) => void said.push(text) };
  return new Agents(
    options,
    { tenant: 1, key: KEY, elsewhere },
    (member) => !removed.includes(member),
    () => (saves += 1),
  );
};
const peer = (name = "rack2") => ({ name, address: `127.0.0.1:${port}`, iface: "lo", key: KEY });

test("a peer is connected to while runtimes are there; the list is on disk at once, and the next supervisor's", async () => {
  const agents = make();
  agents.configurePeers([peer()]);
  expect(saves).toBe(1);
  // Once: what an earlier run has left there ends.
  await expect.poll(() => said).toContain("the supervisor of 'x' is gone");
  expect(said).toEqual(["the supervisor of 'x' is connected", "the supervisor of 'x' is gone"]);
  expect(agents.status()).toEqual([{ name: "rack2", address: `127.0.0.1:${port}`, iface: "lo", runtimes: [], isReachable: undefined }]);
  await expect(agents.reach("nowhere", INPUT)).rejects.toMatchObject({ code: "peer.unknown", allowed: "rack2" });
  await agents.reach("rack2", INPUT);
  agents.place(4, "rack2");
  expect(agents.whereIs(4)).toEqual({ agent: `127.0.0.1:${port}`, peer: "rack2", isReachable: true });
  expect(agents.frameBytesTo(4)).toBe(1500);
  expect(agents.frameBytesTo(1)).toBeUndefined();
  expect(agents.status()).toMatchObject([{ runtimes: [4], isReachable: true }]);
  expect(() => agents.configurePeers([])).toThrow("peer 'rack2' has runtime 4, so it cannot be removed");
  agents.close();

  elsewhere = JSON.parse(JSON.stringify(elsewhere)) as Elsewhere;
  const next = make();
  expect(next.whereIs(4)).toEqual({ agent: `127.0.0.1:${port}`, peer: "rack2", isReachable: false });
  await next.all[0]!.connect();
  next.keepOnly([1, 4]);
  expect(next.status()).toMatchObject([{ runtimes: [4], isReachable: true }]);
  said.length = 0;
  next.keepOnly([1]);
  expect(elsewhere.placed).toEqual([]);
  await expect.poll(() => said.includes("the supervisor of 'x' is gone")).toBe(true);
  expect(next.status()).toMatchObject([{ runtimes: [], isReachable: undefined }]);
  next.configurePeers([]);
  expect(next.status()).toEqual([]);
});

test("a peer whose runtimes are removed and may still be alive is no place any more, and is forgotten when they have ended", async () => {
  const agents = make();
  agents.configurePeers([peer()]);
  await agents.reach("rack2", INPUT);
  agents.place(4, "rack2");
  removed = [4];
  agents.configurePeers([]);
  expect(agents.status()).toEqual([]);
  await expect(agents.reach("rack2", INPUT)).rejects.toMatchObject({ code: "peer.unknown" });
  expect(agents.whereIs(4)).toMatchObject({ isReachable: true });
  expect(elsewhere.peers).toMatchObject([{ name: "rack2", isLeaving: true }]);
  agents.keepOnly([]);
  expect(elsewhere).toEqual({ peers: [], placed: [] });
});

test("who cannot be reached is no place, and what is configured stays as it was", async () => {
  const agents = make();
  agents.configurePeers([peer(), { ...peer("dead"), address: "127.0.0.1:1" }, { ...peer("other"), address: `localhost:${port}`, key: "02".repeat(32) }]);
  await expect(agents.reach("dead", INPUT)).rejects.toThrow("the agent at 127.0.0.1:1 is not reachable: nobody listens there");
  await expect(agents.reach("other", INPUT)).rejects.toThrow("the two sides have different keys");
  await expect(agents.reach("rack2", { kind: "af_packet", client: "lo", server: "lo" })).rejects.toThrow("has an MTU of 65536, which no link can use");
  expect(agents.status().map(({ isReachable }) => isReachable)).toEqual([undefined, undefined, undefined]);
  expect(agents.all).toEqual([]);
});

test("agents of the start have the last numbers, by their addresses also later ones; what is added elsewhere under such a number is elsewhere", async () => {
  const address = `127.0.0.1:${port}`;
  const agents = make([{ address, runtimes: 1 }]);
  expect([1, 2, 3].map((member) => agents.of(member)?.address)).toEqual([undefined, undefined, address]);
  await agents.connect(INPUT);
  await agents.reach(address, INPUT);
  agents.place(4, address);
  agents.place(3, undefined);
  expect([3, 4].map((member) => agents.whereIs(member))).toEqual([
    { agent: undefined, peer: undefined, isReachable: true },
    { agent: address, peer: undefined, isReachable: true },
  ]);
  expect(agents.status()).toEqual([{ name: undefined, address, iface: "lo", runtimes: [4], isReachable: true }]);
  expect(() => agents.configurePeers([peer()])).toThrow("where this host has another agent");
  // It goes on being connected to.
  agents.keepOnly([1, 2]);
  expect(agents.of(3)).toBe(agents.all[0]);
  expect(agents.all[0]!.isReachable).toBe(true);
  agents.close();
});
