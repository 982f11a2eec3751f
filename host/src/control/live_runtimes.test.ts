import { NfError } from "@nfactor/sdk/errors";
import { beforeEach, expect, test } from "vitest";
import { machineUs } from "../clock/clock.ts";
import { LiveRuntimes } from "./live_runtimes.ts";
import { TenantInMemory, directDataplane } from "./testing.ts";

let tenant: TenantInMemory;
let said: string[];
let live: LiveRuntimes;
const serve = (runtimes: number, flows: { runtime: number; port: number }[] = []): void => {
  tenant = new TenantInMemory(runtimes, flows);
  said = [];
  live = new LiveRuntimes({ dataplane: tenant.dataplane, chain: [], say: (text) => said.push(text) });
};
beforeEach(() =>
  serve(3, [
    { runtime: 1, port: 1000 },
    { runtime: 1, port: 1001 },
    { runtime: 1, port: 1002 },
    { runtime: 2, port: 2000 },
  ]),
);

async function refusal(what: () => Promise<unknown>): Promise<string> {
  const before = tenant.flowsBy;
  const error = await what().then(
    () => new Error("nothing was refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof NfError)) throw error as Error;
  expect(tenant.flowsBy).toEqual(before);
  expect(said).toEqual([]);
  return error.format();
}
test("an NF that faults is told of with its last fault, when that is of the version that runs", async () => {
  tenant.nfList.push({ entry: "fw", version: "1.1.0", faults: 10n, quarantined: true, counters: {} });
  const lastFault = (entry: string, version: string) => (`${entry} ${version}` === "fw 1.1.0" ? "deadline" : undefined);
  live = new LiveRuntimes({ dataplane: tenant.dataplane, chain: [], lastFault, say: () => undefined });
  const fw = { entry: "fw", version: "1.1.0", faults: 10, quarantined: true };
  expect((await live.runtimes()).nfs).toEqual([{ ...fw, last_fault: "deadline" }]);
  tenant.nfList[0]!.version = "1.2.0";
  expect((await live.runtimes()).nfs).toEqual([{ ...fw, version: "1.2.0" }]);
});

const migrate = (from: number, to: number, flows: Parameters<LiveRuntimes["migrate"]>[0]["flows"] = { all: true }, dry_run = false) =>
  live.migrate({ from, to, flows, dry_run });

test("the vswitch and the runtimes, with what they are doing", async () => {
  tenant.states.get(2)!.draining = true;
  tenant.states.get(3)!.draining = true;
  const began = machineUs();
  const { at_us, runtimes } = await live.runtimes();
  expect([at_us >= began, at_us <= machineUs()]).toEqual([true, true]);
  expect(runtimes.map(({ runtime, state, flows }) => [runtime, state, flows])).toEqual([
    [0, "vswitch", 4],
    [1, "running", 3],
    [2, "draining", 1],
    [3, "drained", 0],
  ]);
  expect(runtimes[1]).toMatchObject({ received: 10, sent: 9, dropped: 1, busy_us: 1000 });
});

test("a number of flows, all of them, or those that match", async () => {
  expect(await migrate(1, 2, { count: 2 })).toMatchObject({ from: 1, to: 2, flows: 2, moved: 2, failed: 0, reason: "none", drained: false });
  expect(tenant.flowsBy).toEqual({ 1: 1, 2: 3 });
  expect(await migrate(2, 3, { all: true })).toMatchObject({ flows: 3, moved: 3, drained: true });
  expect(await migrate(3, 1, { match: [["udp", ":1001"], [":2000"]] })).toMatchObject({ flows: 2, moved: 2, drained: false });
  expect(tenant.flowsBy).toEqual({ 1: 3, 3: 1 });
  expect(said).toEqual([
    "runtime 1 → 2: 2 flows moved in 1.00 ms (2.00 k flows/s)",
    "runtime 2 → 3: 3 flows moved in 1.00 ms (3.00 k flows/s)\n  runtime 2 has no flows left",
    "runtime 3 → 1: 2 flows moved in 1.00 ms (2.00 k flows/s)",
  ]);
});

test("a flow that two matches name is moved once", async () => {
  expect(await migrate(1, 2, { match: [[":1000"], ["10.0.0.1:1000"]] })).toMatchObject({ flows: 1, moved: 1 });
});

test("more flows than there are: those that there are", async () => {
  expect(await migrate(1, 2, { count: 100 })).toMatchObject({ flows: 3, moved: 3, failed: 0 });
});

test("flows that the target refuses stay, and the reason is told", async () => {
  tenant.states.get(2)!.draining = true;
  expect(await migrate(1, 2)).toMatchObject({ moved: 0, failed: 3, reason: "draining" });
  expect(tenant.flowsBy).toEqual({ 1: 3, 2: 1 });
  expect(said[0]).toContain("3 stayed where they were: the target is being drained. Choose another target, or let it take flows again with 'nfactor undrain'.");
});

test("a dry run counts, says what would be refused, and changes nothing", async () => {
  expect(await migrate(1, 2, { match: [["udp"]] }, true)).toMatchObject({ dry_run: true, flows: 3, moved: 0, reason: "none" });
  tenant.states.get(2)!.draining = true;
  expect(await migrate(1, 2, { count: 2 }, true)).toMatchObject({ flows: 2, reason: "draining" });
  expect(await live.drain({ runtime: 1, to: [], dry_run: true })).toMatchObject({ to: [2, 3], flows: 3, reason: "none" });
  expect(await live.remove_runtime({ runtime: 1, force: true, dry_run: true })).toEqual({ runtime: 1, dry_run: true, flows_ended: 3 });
  expect({ calls: tenant.calls, said, flows: tenant.flowsBy }).toEqual({ calls: [], said: [], flows: { 1: 3, 2: 1 } });
});

test("a drain to all others or to some, and back", async () => {
  expect(await live.drain({ runtime: 1, to: [], dry_run: false })).toMatchObject({ runtime: 1, to: [2, 3], flows: 3, moved: 3, drained: true });
  expect(tenant.flowsBy).toEqual({ 2: 3, 3: 1 });
  expect(await live.drain({ runtime: 2, to: [3, 3], dry_run: false })).toMatchObject({ to: [3], moved: 3 });
  expect(tenant.flowsBy).toEqual({ 3: 4 });
  expect(await live.undrain({ runtime: 1 })).toEqual({ runtime: 1, was_draining: true });
  expect(await live.undrain({ runtime: 1 })).toEqual({ runtime: 1, was_draining: false });
  expect(said.at(-1)).toBe("runtime 1 takes new flows again");
});

test("runtimes are added and removed", async () => {
  expect(await live.add_runtime({})).toEqual({ runtime: 4, lcore: 0 });
  expect(await live.remove_runtime({ runtime: 4, force: false, dry_run: false })).toEqual({ runtime: 4, dry_run: false, flows_ended: 0 });
  expect(await live.add_runtime({})).toEqual({ runtime: 5, lcore: 0 });
  expect(await live.remove_runtime({ runtime: 1, force: true, dry_run: false })).toMatchObject({ flows_ended: 3 });
  expect(tenant.flowsBy).toEqual({ 2: 1 });
  expect(said.at(-1)).toBe("runtime 1 was removed, and 3 flows ended with it");
});

test("recover: a runtime is declared dead, and its flows go on from their replicas", async () => {
  tenant.unprotected = 0;
  tenant.flowList.push({ ...tenant.flowList[0]!, flowId: 9n, runtime: 2 }, { ...tenant.flowList[0]!, flowId: 10n, runtime: 3 });
  const about = { runtime: 1, flows: 3, recovered: 3, lost: 0, restarts: false };
  expect(await live.recover({ runtime: 1, dry_run: true })).toEqual({ ...about, dry_run: true, duration_ns: 0 });
  expect(tenant.calls).toEqual([]);
  const { duration_ns, ...result } = await live.recover({ runtime: 1, dry_run: false });
  expect(result).toEqual({ ...about, dry_run: false });
  expect(said.at(-1)).toMatch(/^runtime 1 is dead: 3 flows recovered in .*; it is gone; 'nfactor runtimes add' starts another one$/);
  expect(duration_ns).toBeGreaterThan(0);
  expect(tenant.calls).toEqual([{ declareDead: 1 }]);
});

test("recover: without replicas states are lost, and it says so before", async () => {
  expect(await live.recover({ runtime: 1, dry_run: true })).toMatchObject({ flows: 3, recovered: 0, lost: 3 });
  expect(await live.recover({ runtime: 1, dry_run: false })).toMatchObject({ recovered: 0, lost: 3 });
  expect(said.at(-1)).toContain("3 have lost their state");
});

test("peers, runtimes at them, and where replicas are to be", async () => {
  const peer = { name: "rack2", address: "10.0.0.2:7700", iface: "l0", key: "ab".repeat(32) };
  expect(await live.configure_peers({ peers: [peer] })).toEqual({ peers: 1 });
  expect(await live.peers()).toEqual({ peers: [{ name: "rack2", address: "10.0.0.2:7700", iface: "l0", runtimes: [] }] });
  expect(await live.add_runtime({ at: "rack2" })).toEqual({ runtime: 4, lcore: 0 });
  expect(await live.set_replication_target({ runtime: 1, targets: [4, 2] })).toEqual({});
  expect(await live.set_replication_target({ runtime: 1, targets: [] })).toEqual({});
  expect(tenant.calls).toEqual([{ addAt: "rack2" }, { protect: 1, by: [4, 2] }, { protect: 1, by: [] }]);
  expect(said.at(-1)).toBe("replicas of runtime 1: at any other runtime");
  expect(said.join()).not.toContain(peer.key);
  await expect(live.set_replication_target({ runtime: 9, targets: [1] })).rejects.toMatchObject({ code: "runtime.unknown" });
  await expect(live.set_replication_target({ runtime: 1, targets: [2, 9] })).rejects.toMatchObject({ code: "runtime.unknown" });
  await expect(live.set_replication_target({ runtime: 1, targets: [1] })).rejects.toMatchObject({ code: "runtime.same", allowed: "2, 3, 4" });
  await expect(live.add_runtime({ at: "nowhere" })).rejects.toMatchObject({ code: "peer.unknown" });
});

test("what cannot be is refused before anything is changed, and says what can", async () => {
  const lists = "'nfactor runtimes' lists them, those of a deployment 'nfactor runtimes <deployment>'.";
  const unknown = `error[runtime.unknown]: there is no runtime 9.\n  Allowed: 1, 2, 3. ${lists}`;
  expect(await refusal(() => migrate(9, 1))).toBe(unknown);
  expect(await refusal(() => migrate(1, 9))).toBe(unknown);
  expect(await refusal(() => live.drain({ runtime: 9, to: [], dry_run: false }))).toBe(unknown);
  expect(await refusal(() => live.drain({ runtime: 1, to: [2, 9], dry_run: false }))).toBe(unknown);
  expect(await refusal(() => live.undrain({ runtime: 9 }))).toBe(unknown);
  expect(await refusal(() => live.remove_runtime({ runtime: 9, force: true, dry_run: false }))).toBe(unknown);
  expect(await refusal(() => live.recover({ runtime: 9, dry_run: false }))).toBe(unknown);
  expect(await refusal(() => migrate(0, 1))).toBe(unknown.replace("9", "0"));
  expect(await refusal(() => migrate(1, 1))).toBe("error[runtime.same]: runtime 1 is source and target.\n  Allowed: 2, 3. Name another runtime as the target.");
  expect(await refusal(() => live.drain({ runtime: 1, to: [1], dry_run: false }))).toContain("error[runtime.same]");
  expect(await refusal(() => live.remove_runtime({ runtime: 1, force: false, dry_run: false }))).toBe(
    "error[runtime.not_empty]: runtime 1 has 3 flows, which would end with it.\n  Move them away first with 'nfactor drain 1', or let them end with --force.",
  );
  expect(await refusal(() => migrate(1, 2, { match: [["tcp"], [":99"]] }))).toBe(
    "error[runtime.no_flow]: of the 3 flows of runtime 1 none matches 'tcp' or ':99'.\n  'nfactor flows --runtime 1' lists them.",
  );
  expect(await refusal(() => migrate(1, 2, { match: [["nonsense"]] }))).toContain("error[usage]: --flow: 'nonsense' is not understood.");
  expect(tenant.calls).toEqual([]);
});

test("the only runtime can neither be drained nor removed", async () => {
  serve(1, [{ runtime: 1, port: 1 }]);
  const add = "Add another one first: 'nfactor runtimes add'.";
  expect(await refusal(() => live.drain({ runtime: 1, to: [], dry_run: true }))).toContain(add);
  expect(await refusal(() => migrate(1, 1))).toContain(add);
  expect(await refusal(() => live.recover({ runtime: 1, dry_run: true }))).toContain(add);
  expect(await refusal(() => live.remove_runtime({ runtime: 1, force: true, dry_run: true }))).toContain("or add another one first: 'nfactor runtimes add'.");
});

test("in direct mode every command says how to start the host", async () => {
  live = new LiveRuntimes({ dataplane: directDataplane(), chain: [], say: (text) => said.push(text) });
  const fix = "\n  Start the host with --runtimes <n> (in nfactor.yaml: runtimes: { count: <n> }).";
  for (const command of [
    () => live.runtimes(),
    () => migrate(1, 2),
    () => live.drain({ runtime: 1, to: [], dry_run: false }),
    () => live.undrain({ runtime: 1 }),
    () => live.remove_runtime({ runtime: 1, force: false, dry_run: false }),
  ])
    expect(await refusal(command)).toBe(`error[runtime.direct]: the dataplane is in direct mode.${fix}`);
});
