/** `nfactor recover`: runtimes of a live host are declared dead by hand, in processes and in one. Needs root, as CI has. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import type { Result } from "../../host/src/rpc/protocol.ts";
import { LiveHost } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { Members, balance } from "./testing/members.ts";

const FLOWS = 60;

describeAsRoot("recover", () => {
  let lab: NetworkLab;
  beforeEach(() => {
    lab = new NetworkLab();
  });
  afterEach(() => lab.close());

  const start = (name: string, ...more: string[]): Promise<LiveHost> =>
    LiveHost.start(lab, name, ["--chain", "flow_monitor,firewall", "--runtimes", "3", ...more]);
  const isProtected = (all: readonly RuntimeJson[]): boolean =>
    all.slice(1).reduce((flows, one) => flows + one.replicas, 0) >= FLOWS && all.every(({ state, unprotected }) => state !== "down" && unprotected === 0);

  test.each([
    ["processes", ["--processes"]],
    ["one process", []],
  ])("in %s its flows go on from their replicas under traffic", async (name, how) => {
    const host = await start("recover", "--replicas", "1", ...how);
    const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: 20 });
    const before = await new Members(host).until("every flow has a replica", isProtected);
    const would = await host.json<Result<"recover">>("recover", "2", "--dry-run");
    expect(would).toMatchObject({ runtime: 2, dry_run: true, lost: 0, restarts: how.length > 0 });
    expect(would.recovered).toBeGreaterThanOrEqual(FLOWS / 3 - 2);
    expect((await host.run("recover", "2")).stderr).toContain("Add --yes if that is wanted.");
    const done = await host.json<Result<"recover">>("recover", "2", "--yes");
    expect(done).toMatchObject({ runtime: 2, dry_run: false, recovered: done.flows, lost: 0, restarts: how.length > 0 });
    expect(done.flows).toBeGreaterThanOrEqual(FLOWS / 3 - 2);
    console.log(`${name}: ${done.recovered} flows recovered in ${(done.duration_ns / 1e6).toFixed(1)} ms`);
    const after = await new Members(host).until("every flow has a replica", isProtected);
    if (how.length > 0) expect(after.find(({ runtime }) => runtime === 2)!.pid).not.toBe(before.find(({ runtime }) => runtime === 2)!.pid);
    else expect(after.map(({ runtime }) => runtime)).toEqual([0, 1, 3]);
    expect(after[0]!.state_lost).toBe(0);
    const { reordered, repeated } = await traffic.end();
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
  });

  test("without replicas states are lost, which is said before and is exit code 3; what cannot be is refused", async () => {
    const host = await start("lose", "--processes");
    const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: 20 });
    const all = await new Members(host).until("all flows are open", (now) => now[0]!.flows >= FLOWS);
    const { flows } = all.find(({ runtime }) => runtime === 3)!;
    expect(await host.json("recover", "3", "--dry-run")).toMatchObject({ flows, recovered: 0, lost: flows });
    const { code, stdout } = await host.run("recover", "3", "--yes", "--json");
    expect(code).toBe(3);
    expect((JSON.parse(stdout) as Result<"recover">).lost).toBeGreaterThanOrEqual(flows - 1);
    expect((await host.run("recover", "9", "--yes")).stderr).toContain("error[runtime.unknown]: there is no runtime 9.");
    await traffic.end();
    expect(balance((await host.stop()).packets)).toBe(0);
  });
});
