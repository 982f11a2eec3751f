/** The commands about runtimes as processes, over a real control socket, with a tenant in memory behind it. test/e2e/runtimes.test.ts has real ones. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LiveRuntimes } from "../control/live_runtimes.ts";
import { LiveTrace } from "../control/live_trace.ts";
import { TenantInMemory } from "../control/testing.ts";
import { ControlServer, type Handlers } from "../rpc/server.ts";
import { prepareSocketPath } from "../rpc/socket_path.ts";
import { runtimeJson } from "../result/runtimes_result.ts";
import { progressLine } from "./operation.ts";
import {
  drainResultSchema,
  errorResultSchema,
  migrateResultSchema,
  peersAddResultSchema,
  peersResultSchema,
  recoverResultSchema,
  runtimesProtectResultSchema,
  runtimesRemoveResultSchema,
  runtimesResultSchema,
} from "./results.ts";
import { Cli, finished } from "./testing.ts";

let cli: Cli;
let tenant: TenantInMemory;
let server: ControlServer;
beforeEach(async () => {
  cli = new Cli();
  tenant = new TenantInMemory(
    3,
    [1000, 1001, 1002].map((port) => ({ runtime: 1, port })),
  );
  const unused = async (): Promise<never> => Promise.reject(new Error("not of this test"));
  const handlers: Handlers = {
    ...{ info: unused, flows: unused, swap: unused },
    ...new LiveRuntimes({ dataplane: tenant.dataplane, chain: [], say: () => undefined }),
    ...new LiveTrace({ dataplane: tenant.dataplane, chain: [], say: () => undefined }),
  };
  server = await ControlServer.listen(prepareSocketPath("t", { XDG_RUNTIME_DIR: cli.folder }), handlers);
});
afterEach(async () => {
  await server.close();
  cli.remove();
});

test("runtimes: a table, or one object", async () => {
  const { code, stdout, stderr } = await cli.run("runtimes");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.trim().split(/ {2,}/).slice(0, 4)),
  ).toEqual([
    ["runtime", "state", "flows", "load"],
    ["vswitch", "3", "0 %", "0"],
    ["1", "running", "3", "0 %"],
    ["2", "running", "0", "0 %"],
    ["3", "running", "0", "0 %"],
  ]);
  const { seconds, runtimes } = runtimesResultSchema.parse(JSON.parse((await cli.run("runtimes", "--json")).stdout));
  expect(seconds).toBeGreaterThan(0);
  expect(runtimes.map(({ runtime, flows }) => [runtime, flows])).toEqual([[0, 3], [1, 3], [2, 0], [3, 0]]); // prettier-ignore
});

test("runtimes --watch goes on until Ctrl-C, which is no failure", async () => {
  const child = cli.spawn(["runtimes", "--watch"]);
  const ended = finished(child);
  for (let tables = 0; tables < 2;) tables += ((await once(child.stdout!, "data")) as [Buffer])[0].toString().split("runtime ").length - 1;
  child.kill("SIGINT");
  const { code, stdout } = await ended;
  expect(code).toBe(0);
  expect(stdout.split("\n\n").length).toBeGreaterThanOrEqual(2);
});

test("migrate: the result in words or as an object, exit code 3 when flows stayed", async () => {
  expect(await cli.run("migrate", "--from", "1", "--to", "2", "--flow", "udp :1001", "--flow", ":99")).toMatchObject({
    code: 0,
    stdout: "runtime 1 → 2: 1 flow moved in 1.00 ms\n",
    stderr: "",
  });
  tenant.states.get(3)!.draining = true;
  const { code, stdout } = await cli.run("migrate", "--from", "1", "--to", "3", "--all", "--json");
  expect(code).toBe(3);
  expect(migrateResultSchema.parse(JSON.parse(stdout))).toMatchObject({ from: 1, to: 3, flows: 2, moved: 0, failed: 2, reason: "draining" });
  expect(await cli.run("migrate", "--from", "1", "--to", "3", "--all", "--dry-run")).toMatchObject({ code: 0 });
  expect(tenant.flowsBy).toEqual({ 1: 2, 2: 1 });
});

test("drain and undrain", async () => {
  const { code, stdout } = await cli.run("drain", "1", "--to", "2,3", "--to", "2", "--json");
  expect(code).toBe(0);
  expect(drainResultSchema.parse(JSON.parse(stdout))).toMatchObject({ runtime: 1, to: [2, 3], flows: 3, moved: 3, drained: true });
  expect(tenant.flowsBy).toEqual({ 2: 2, 3: 1 });
  expect((await cli.run("undrain", "1")).stdout).toBe("runtime 1 takes new flows again\n");
  expect((await cli.run("undrain", "1")).stdout).toBe("runtime 1 was not draining\n");
});

test("undrain ends a drain that goes on, whose command says so", async () => {
  for (const json of [[], ["--json"]]) {
    let open = (): void => undefined;
    tenant.gate = new Promise<void>((done) => (open = done));
    const before = tenant.calls.length;
    const drain = cli.run("drain", "1", ...json);
    while (tenant.calls.length === before) await new Promise((done) => setTimeout(done, 5));
    expect((await cli.run("undrain", "1")).stdout).toBe("runtime 1 takes new flows again\n");
    open();
    const { code, stdout, stderr } = await drain;
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    if (json.length > 0) expect(drainResultSchema.parse(JSON.parse(stdout))).toMatchObject({ moved: 0, failed: 0, drained: false, undrained: true });
    else expect(stdout).toContain("\n  'nfactor undrain' ended it: runtime 1 takes new flows again");
    expect(tenant.flowsBy).toEqual({ 1: 3 });
  }
});

test("Ctrl-C during a drain ends the command, and the host goes on with it", async () => {
  let open = (): void => undefined;
  tenant.gate = new Promise<void>((done) => (open = done));
  const child = cli.spawn(["drain", "1"]);
  const ended = finished(child);
  while (tenant.calls.length === 0) await new Promise((done) => setTimeout(done, 5));
  child.kill("SIGINT");
  const { code, stdout, stderr } = await ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  expect(stderr).toContain("The host goes on with it");
  open();
  while (tenant.flowsBy[1] !== undefined) await new Promise((done) => setTimeout(done, 5));
  expect(tenant.flowsBy).toEqual({ 2: 2, 3: 1 });
});

test("a drain that lasts longer than the host leaves a connection idle tells how far it is, and ends with its result", async () => {
  let open = (): void => undefined;
  tenant.gate = new Promise<void>((done) => (open = done));
  const child = cli.spawn(["drain", "1"]);
  const ended = finished(child);
  await once(child.stderr!, "data");
  open();
  expect(await ended).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("3 flows moved") as string,
    stderr: expect.stringContaining("3 left in") as string,
  });
}, 30_000);

test("while it lasts: how far it is, and how fast", () => {
  const status = { ...runtimeJson(tenant.dataplane.runtimes()[1]!), moved_out: 1500, under_way: 1000, flows: 2500 };
  expect(progressLine(status, 500, 2000)).toBe("1,000 flows moved, 1,000 under way, 2,500 left in runtime 1, 500 flows/s, 2.0 s");
});

test("remove: refused with flows; with --force not without --yes when nobody can be asked", async () => {
  expect((await cli.run("runtimes", "remove", "1")).stderr).toContain("error[runtime.not_empty]: runtime 1 has 3 flows");
  expect(await cli.run("runtimes", "remove", "1", "--force")).toMatchObject({ code: 2, stdout: "" });
  expect((await cli.run("runtimes", "remove", "1", "--force", "--dry-run")).stdout).toBe(
    "runtime 1 would be removed, and its 3 flows would end. Nothing was changed.\n",
  );
  expect([...tenant.states.keys()]).toEqual([1, 2, 3]);
  const { code, stdout } = await cli.run("runtimes", "remove", "1", "--force", "--yes", "--json");
  expect(code).toBe(0);
  expect(runtimesRemoveResultSchema.parse(JSON.parse(stdout))).toEqual({ runtime: 1, dry_run: false, flows_ended: 3 });
  expect((await cli.run("runtimes", "remove", "2")).stdout).toBe("runtime 2 was removed\n");
  expect((await cli.run("runtimes", "--json", "add")).stdout).toBe('{"runtime":4,"lcore":0}\n');
  expect([...tenant.states.keys()]).toEqual([3, 4]);
});

test("peers: added with their keys, listed without, removed by name", async () => {
  expect((await cli.run("peers")).stdout).toBe("no peers: 'nfactor peers add' adds one\n");
  const key = "ab".repeat(32);
  writeFileSync(cli.path("agent.key"), key, { mode: 0o600 });
  const add = (name: string, address: string): string[] => ["peers", "add", name, "--address", address, "--key-file", "agent.key", "--iface", "l0"];
  expect((await cli.run(...add("rack2", "10.0.0.2:7700"))).stdout).toContain("'nfactor runtimes add --at rack2'");
  expect(peersAddResultSchema.parse(JSON.parse((await cli.run(...add("rack3", "10.0.0.3:7700"), "--json")).stdout))).toEqual({ peers: 2 });
  // Who was there before is sent back without its key, which the host has.
  expect(tenant.peerList.map((peer) => [peer.name, peer.key])).toEqual([
    ["rack2", undefined],
    ["rack3", key],
  ]);
  const listed = await cli.run("peers", "--json");
  expect(listed.stdout).not.toContain(key);
  expect(peersResultSchema.parse(JSON.parse(listed.stdout)).peers.map(({ name }) => name)).toEqual(["rack2", "rack3"]);
  expect((await cli.run("runtimes", "add", "--at", "rack3")).stdout).toBe("runtime 4 takes flows, on lcore 0\n");
  expect((await cli.run("runtimes", "add", "--at", "rack9")).stderr).toContain("error[peer.unknown]: there is no peer 'rack9'");
  expect((await cli.run("peers", "remove", "rack4")).stderr).toContain("error[peer.unknown]: there is no peer 'rack4'.\n  Allowed: rack2, rack3.");
  expect(await cli.run("peers", "remove", "rack2")).toMatchObject({ code: 0, stdout: "rack2 is no peer any more; 1 peer left\n" });
  expect(tenant.peerList.map(({ name }) => name)).toEqual(["rack3"]);
}, 30_000);

test("protect: who keeps the replicas, or anybody", async () => {
  expect((await cli.run("runtimes", "protect", "1", "--by", "2,3", "--by", "2")).stdout).toBe("replicas of runtime 1: at 2, 3\n");
  const { stdout } = await cli.run("runtimes", "protect", "1", "--by", "any", "--json");
  expect(runtimesProtectResultSchema.parse(JSON.parse(stdout))).toEqual({ runtime: 1, targets: [] });
  expect(tenant.calls).toEqual([
    { protect: 1, by: [2, 3] },
    { protect: 1, by: [] },
  ]);
});

test("recover: not without --yes when nobody can be asked; what it would lose is said before, and lost states are exit code 3", async () => {
  tenant.unprotected = 1;
  tenant.flowList.push({ ...tenant.flowList[0]!, flowId: 9n, runtime: 2 }, { ...tenant.flowList[0]!, flowId: 10n, runtime: 3 });
  const asked = await cli.run("recover", "1");
  expect(asked).toMatchObject({ code: 2, stdout: "" });
  expect(asked.stderr).toContain("runtime 1 would be declared dead: 2 flows would go on elsewhere, 1 would lose their state.");
  expect((await cli.run("recover", "1", "--dry-run")).stdout).toBe(
    "runtime 1: 2 flows would go on elsewhere, 1 would lose their state. Nothing was changed.\n",
  );
  expect(tenant.calls).toEqual([]);
  const { code, stdout } = await cli.run("recover", "1", "--yes", "--json");
  expect(code).toBe(3);
  expect(recoverResultSchema.parse(JSON.parse(stdout))).toMatchObject({ runtime: 1, flows: 3, recovered: 2, lost: 1, restarts: false });
  expect(tenant.calls).toEqual([{ declareDead: 1 }]);
});

test("what the host refuses is one paragraph, or one object", async () => {
  const ran = await cli.run("drain", "7");
  const lists = "'nfactor runtimes' lists them, those of a deployment 'nfactor runtimes <deployment>'.";
  expect(ran).toEqual({ code: 2, stdout: "", stderr: `error[runtime.unknown]: there is no runtime 7.\n  Allowed: 1, 2, 3. ${lists}\n` });
  const { code, stdout } = await cli.run("migrate", "--from", "1", "--to", "2", "--flow", "tcp", "--json");
  expect(code).toBe(1);
  expect(errorResultSchema.parse(JSON.parse(stdout)).error.code).toBe("runtime.no_flow");
});

test.each([
  ["migrate --from 1 --to 1 --all", "error[runtime.same]: runtime 1 is source and target."],
  ["migrate --from 1 --to 2", "error[usage]: which flows are to move?"],
  ["migrate --from 1 --to 2 --all --count 3", "error[usage]: --count and --all exclude each other."],
  ["migrate --from 1 --to 2 --count 1 --flow udp", "error[usage]: --count and --flow exclude each other."],
  ["migrate --from 1 --to 2 --count 0", "error[usage]: --count: '0' is not a number in its range."],
  ["migrate --from 1 --to 2 --count -3", "error[usage]: --count: '-3' is not a number in its range."],
  ["migrate --from 1 --to 2 --count many", "error[usage]: --count: 'many' is not a number in its range."],
  ["migrate --from one --to 2 --all", "error[usage]: 'one' is no number of a runtime."],
  ["migrate --from 1 --all", "error[usage]: required option '--to <runtime>' not specified."],
  ["migrate --from 1 --to 2 --flow what", "error[usage]: --flow: 'what' is not understood."],
  ["drain", "error[usage]: missing required argument 'runtime'."],
  ["drain 1 --to 2,,3", "error[usage]: '' is no number of a runtime."],
  ["drain 1 --to 1", "error[runtime.same]: runtime 1 is source and target."],
  ["drain 99999", "error[usage]: '99999' is no number of a runtime."],
  ["undrain -- -1", "error[usage]: '-1' is no number of a runtime."],
  ["recover", "error[usage]: missing required argument 'runtime'."],
  ["recover 9 --yes", "error[runtime.unknown]: there is no runtime 9."],
  ["runtimes ad", "error[usage]: runtimes: 'ad' is no command of it."],
  ["runtimes add 2", "error[usage]: too many arguments for 'add'."],
  ["runtimes remove", "error[usage]: missing required argument 'runtime'."],
  ["runtimes protect 1", "error[usage]: required option '--by <runtimes>' not specified."],
  ["runtimes protect 1 --by 1", "error[runtime.same]: runtime 1 keeps no replicas of its own flows."],
  ["runtimes protect 1 --by any,2", "error[usage]: --by: 'any' and numbers exclude each other."],
  ["runtimes protect 1 --by x", "error[usage]: 'x' is no number of a runtime."],
  ["peers ad", "error[usage]: peers: 'ad' is no command of it."],
  ["peers add a:1 --address 10.0.0.2:7700 --key-file k --iface l0", "error[usage]: a peer's name has 1 to 63 letters"],
  ["peers add a --address 10.0.0.2 --key-file k --iface l0", "error[usage]: an agent's address is like 10.0.0.2:7700"],
  ["peers add a --address 10.0.0.2:7700 --key-file k --iface l0", "error[usage]: the key file k cannot be read"],
  ["runtimes --watch --json", "error[usage]: --watch and --json exclude each other."],
])("%s is refused", async (line, message) => {
  const { code, stderr } = await cli.run(...line.split(" "));
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  expect({ calls: tenant.calls, flows: tenant.flowsBy }).toEqual({ calls: [], flows: { 1: 3 } });
});
