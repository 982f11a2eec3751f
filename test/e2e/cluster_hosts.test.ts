/**
 * Two hosts under one controller: the wire's with the interfaces, and a far one, which joins over TLS with a token. The far one is emptied under traffic, and
 * its daemon exchanged, which is how a host is upgraded. Needs root, as CI has.
 *   NF_CLUSTER_HOSTS=all npx vitest run test/e2e/cluster_hosts.test.ts      the other one too; and a daemon dies, then a whole machine: a minute
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EXIT } from "../../host/src/cli/exit_codes.ts";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import { startOf } from "../../host/src/supervisor/process_id.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { ClusterLab } from "../../scripts/lib/cluster_lab.ts";
import { FarHost } from "./testing/far_host.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { isProtected } from "./testing/members.ts";
import { Streams } from "./testing/streams.ts";

const IS_ALL = process.env["NF_CLUSTER_HOSTS"] === "all";
const WAIT_MS = 60_000;
const FLOWS = 40;
const CONNECTIONS = 40;

interface View {
  readonly seen?: { readonly pid?: number; readonly starts: number };
  readonly runtimes?: { readonly runtimes: readonly RuntimeJson[] };
}
interface Status {
  readonly hosts: readonly {
    readonly name: string;
    readonly connected: boolean;
    readonly leased: boolean;
    readonly cordoned: boolean;
    readonly runtimes: number;
  }[];
  readonly deployments: readonly View[];
}

describeAsRoot("two hosts under one controller", () => {
  let lab: NetworkLab;
  let cluster: ClusterLab;
  let far: FarHost;
  beforeEach(() => {
    lab = new NetworkLab();
    cluster = new ClusterLab(lab);
    far = new FarHost(lab);
  });
  // Nothing is ended in order: it lies in namespaces and folders of the lab alone.
  afterEach(() => lab.close());

  const runtimesOf = ({ deployments: [web] }: Status): readonly RuntimeJson[] => web?.runtimes?.runtimes ?? [];
  const on = (host: string, status: Status): RuntimeJson[] => runtimesOf(status).filter(({ runtime, peer = "h1" }) => runtime > 0 && peer === host);
  const flowsOn = (host: string, status: Status): number => on(host, status).reduce((sum, { flows }) => sum + flows, 0);
  const hostIn = (name: string, { hosts }: Status): Status["hosts"][number] | undefined => hosts.find((host) => host.name === name);
  const until = async (what: string, isSo: (status: Status) => boolean): Promise<Status> => {
    let status: Status | undefined;
    for (const end = performance.now() + WAIT_MS; performance.now() < end; await pause(200)) {
      status = await cluster.json<Status>("status");
      if (isSo(status)) return status;
    }
    const shown = status && runtimesOf(status).map(({ runtime, peer, state, flows, unprotected }) => ({ runtime, peer, state, flows, unprotected }));
    const events = (await cluster.nfactor("events", "--limit", "40")).stdout;
    throw new Error(`${what}: it did not come to that\n${JSON.stringify({ hosts: status?.hosts, shown })}\n${events}\n${far.said}`);
  };
  const isApart = (status: Status): boolean => on("h1", status).length === 1 && on("h2", status).length === 1 && isProtected(runtimesOf(status));
  const isSpread = (status: Status): boolean => isApart(status) && flowsOn("h2", status) > 0;

  /** h1 and h2, a deployment of two runtimes with replicas, and where the controller is. */
  const begin = async (): Promise<string> => {
    await cluster.up("--rpc", `${lab.nearAddress}:7800`);
    const pushed = Promise.all(["flow_monitor", "firewall"].map((nf) => cluster.json("push", nf)));
    const { token, controller } = await cluster.json<{ token: string; controller: string[] }>("hosts", "token", "h2");
    expect(controller).toEqual([`${lab.nearAddress}:7800`]);
    far.start(controller[0]!, token);
    await pushed;
    await until("h2 is there", (status) => hostIn("h2", status)?.connected === true);
    await cluster.deploy("web", {
      ...{ host: "h1", peers: [{ host: "h2", iface: "between" }], replication: {}, scaling: { min: 2, max: 4 } },
      chain: [{ nf: "flow_monitor" }, { nf: "firewall" }],
    });
    return controller[0]!;
  };
  const assertWhole = (ends: Awaited<ReturnType<Streams["end"]>>): void => {
    expect(ends).toHaveLength(CONNECTIONS);
    expect(ends.flatMap(({ error, changed }) => (error !== undefined || changed > 0 ? [error ?? "changed"] : []))).toEqual([]);
  };
  /** Nothing of anybody is on h2; its daemon ends, another one begins, and h2 is used again. */
  const upgrade = async (controller: string): Promise<void> => {
    expect(await cluster.json("hosts", "drain", "h2")).toMatchObject({ moved: 1, left: [] });
    const empty = await until("it is seen to be empty", (status) => hostIn("h2", status)?.runtimes === 0);
    expect(hostIn("h2", empty)).toMatchObject({ connected: true, cordoned: true });
    expect(on("h2", empty)).toEqual([]);
    expect(flowsOn("h1", empty)).toBeGreaterThanOrEqual(FLOWS + CONNECTIONS);
    expect(await far.end("SIGTERM")).toBe(0);
    // Its machine could be taken away.
    expect(lab.pids("far")).toEqual([]);
    far.start(controller);
    await cluster.json("hosts", "uncordon", "h2");
  };

  test("one is emptied under traffic, upgraded and used again: no connection ends, no packet is lost", async () => {
    const controller = await begin();
    const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: 20 });
    const streams = await Streams.openDirectly(lab, { connections: CONNECTIONS, seed: 1, everyMs: 100 });
    await until("owners and replicas are apart", isSpread);
    await upgrade(controller);
    await until("it has a runtime again", (status) => on("h2", status).some(({ state }) => state === "running"));
    const [{ lost, reordered, repeated, silenceMs }, ends] = await Promise.all([traffic.end(), streams.end()]);
    expect({ lost, reordered, repeated }).toEqual({ lost: 0, reordered: 0, repeated: 0 });
    assertWhole(ends);
    console.log(`silence ${silenceMs} ms at 20 ms a packet`);
  }, 120_000);

  test.runIf(IS_ALL)(
    "a daemon dies, each host is emptied to the other, and a machine is lost: no connection ends",
    async () => {
      const controller = await begin();
      const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: 20 });
      const streams = await Streams.openDirectly(lab, { connections: CONNECTIONS, seed: 1, everyMs: 100 });
      const before = await until("owners and replicas are apart", isSpread);

      // Longer than its lease: what runs there is not taken for dead.
      await far.end("SIGKILL");
      const dead = await until("its lease ends", (status) => hostIn("h2", status)?.leased === false);
      expect(on("h2", dead)).toMatchObject([{ state: "running", unreachable: true }]);
      await pause(8_000);
      far.start(controller);
      const back = await until("it is back", (status) => hostIn("h2", status)?.connected === true && isSpread(status));
      expect(on("h2", back).map(({ pid }) => pid)).toEqual(on("h2", before).map(({ pid }) => pid));

      await upgrade(controller);
      await until("flows come back to it", isSpread);

      const other = await cluster.nfactor("hosts", "drain", "h1", "--json");
      expect(other.code, other.stderr).toBe(EXIT.notMoved);
      expect(JSON.parse(other.stdout)).toMatchObject({ moved: 1, left: ["default/web"] });
      const away = await until("only the switch is on h1", (status) => on("h1", status).length === 0 && on("h2", status).length === 2);
      expect(hostIn("h1", away)).toMatchObject({ cordoned: true, runtimes: 0 });
      expect(flowsOn("h2", away)).toBeGreaterThanOrEqual(FLOWS + CONNECTIONS);
      await cluster.json("hosts", "uncordon", "h1");
      const last = await until("h1 has flows again", (status) => isSpread(status) && flowsOn("h1", status) > 0);
      const { lost, reordered, repeated, silenceMs } = await traffic.end();
      expect({ lost, reordered, repeated }).toEqual({ lost: 0, reordered: 0, repeated: 0 });
      console.log(`silence ${silenceMs} ms at 20 ms a packet`);

      lab.killAll("far");
      for (const cable of ["orders", "between"] as const) lab.setUp(cable, false);
      const repaired = await until("h1 has all of it", (status) => on("h2", status).length === 0 && on("h1", status).length === 2);
      expect(runtimesOf(repaired)[0]).toMatchObject({ state_lost: 0 });
      await cluster.json("hosts", "remove", "h2", "--yes");
      await cluster.json("scale", "web", "3");
      const whole = await until("there are three", (status) => on("h1", status).filter(({ state }) => state === "running").length === 3);
      // The number of the one that was lost with its machine is another one's now.
      expect(on("h1", whole).map(({ runtime }) => runtime)).toContain(on("h2", last)[0]!.runtime);
      expect(whole.hosts.map(({ name }) => name)).toEqual(["h1"]);
      assertWhole(await streams.end());
    },
    300_000,
  );

  test.runIf(IS_ALL)(
    "all of its processes on its own host die at once, as in a reboot: the next ones know their peers, and nothing of before is left there",
    async () => {
      await begin();
      const before = await until("owners and replicas are apart", isApart);
      const [old] = on("h2", before);
      const own = runtimesOf(before).filter(({ peer }) => peer === undefined);
      for (const pid of [before.deployments[0]!.seen!.pid!, ...own.map(({ pid }) => pid!)]) process.kill(pid, "SIGKILL");
      const after = await until("they are apart again", (status) => status.deployments[0]?.seen?.starts === 2 && isApart(status));
      expect(on("h2", after)[0]!.pid).not.toBe(old!.pid);
      expect(startOf(old!.pid!)).toBeUndefined();
    },
    120_000,
  );
});
