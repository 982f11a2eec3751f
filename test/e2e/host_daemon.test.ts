/**
 * A host daemon with real processes under real traffic, told by a controller's listener: what it is told is done, and neither its death nor that of a
 * deployment's supervisor is noticed by a packet. Needs root, as CI has.
 */
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Authority, Enrolment, Listener } from "../../controller/src/rpc/index.ts";
import { openMemoryStore } from "../../controller/src/store/index.ts";
import { finished } from "../../host/src/cli/testing.ts";
import { type DeployedEntry, deploymentSpecSchema } from "../../host/src/daemon/deployment_spec.ts";
import type { HostSession } from "../../host/src/identity/index.ts";
import { loadNf } from "../../host/src/nf/loaded_nf.ts";
import { resolveNf } from "../../host/src/nf/resolve.ts";
import type { Result } from "../../host/src/session/cluster_types.ts";
import { startOf } from "../../host/src/supervisor/process_id.ts";
import { NFACTOR, newVersion } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { describeAsRoot } from "./testing/labs.ts";

type Status = Result<"deployments">["deployments"][number];

const FLOWS = 50;
const WAIT_MS = 30_000;
const of = { deployment: "blue/web" };

/** The controller's end, as far as hosts see it. */
class ControllerEnd {
  readonly artifacts = new Map<string, Uint8Array>();
  readonly listener: Listener;
  readonly fetched: string[] = [];
  #keys = 0;

  private constructor(enrolment: Enrolment) {
    this.listener = new Listener({
      enrolment,
      handlers: {
        keep_alive: async () => ({ ttl_seconds: 30, authorities: enrolment.authority.digest }),
        artifact: async ({ digest, offset, length }) => {
          const bytes = this.artifacts.get(digest)!;
          if (offset === 0) this.fetched.push(digest);
          return { total: bytes.length, bytes: bytes.subarray(offset, offset + length) };
        },
      },
    });
  }

  static async listen(path: string): Promise<ControllerEnd> {
    const store = openMemoryStore();
    const end = new ControllerEnd(new Enrolment({ store, authority: await Authority.open(store) }));
    await end.listener.listenUnix(path);
    return end;
  }

  async session(): Promise<HostSession> {
    return this.listener.sessionsOf("h1").session(AbortSignal.timeout(WAIT_MS));
  }

  /** An NF of this repository, or in a folder, pushed. */
  async entry(name: string, nf: string): Promise<DeployedEntry> {
    const { component } = await loadNf(resolveNf(nf));
    const digest = createHash("sha256").update(component).digest("hex");
    this.artifacts.set(digest, component);
    return { name, nf: { name, version: "1.0.0", digest }, grant: { view: "payload", edit: "none", reshape: false, reply: false, emits: 0 } };
  }

  get options(): { key: string; deadlineMs: number } {
    return { key: `k${++this.#keys}`, deadlineMs: WAIT_MS };
  }
}

describeAsRoot("a host daemon", () => {
  let lab: NetworkLab;
  let controller: ControllerEnd;
  let said: string;
  beforeEach(async () => {
    lab = new NetworkLab();
    said = "";
    controller = await ControllerEnd.listen(join(lab.folder, "controller.sock"));
  });
  afterEach(async () => {
    await controller.listener.close();
    lab.close();
  });

  const command = (...args: string[]): ChildProcess =>
    lab.spawn("wire", process.execPath, [NFACTOR, "host", ...args], { env: { ...process.env, XDG_RUNTIME_DIR: lab.folder } });
  const startDaemon = (): ChildProcess => {
    const child = command("--controller", join(lab.folder, "controller.sock"), "--name", "h1", "--state", join(lab.folder, "state"));
    child.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    return child;
  };
  const status = async (): Promise<Status> => (await (await controller.session()).call("deployments", {})).deployments[0]!;
  const until = async (what: string, isSo: (one: Status) => boolean): Promise<Status> => {
    let last: Status | undefined;
    for (const end = performance.now() + WAIT_MS; performance.now() < end; await pause(50)) {
      last = await status().catch(() => undefined);
      if (last && isSo(last)) return last;
    }
    throw new Error(`${what}: it did not come to that\n${JSON.stringify(last)}\n${said}`);
  };

  test("deploys, swaps and ends a chain; it and the chain's supervisor are killed meanwhile, and no packet is lost", async () => {
    let daemon = startDaemon();
    const session = await controller.session();
    const chain = [await controller.entry("flow_monitor", "flow_monitor"), await controller.entry("firewall", "firewall")];
    const spec = deploymentSpecSchema.parse({ ports: { client: { iface: lab.clientIface }, server: { iface: lab.serverIface } }, chain });
    const deploy = { ...of, revision: 1, spec, replace: false, dry_run: false };
    expect((await session.call("info", {})).interfaces).toEqual(expect.arrayContaining([lab.clientIface, lab.serverIface]));
    const nowhere = { ...spec, ports: { client: { iface: "nowhere" }, server: spec.ports.server } };
    await expect(session.call("deploy", { ...deploy, spec: nowhere }, controller.options)).rejects.toMatchObject({ code: "port.missing" });
    expect(await session.call("deploy", deploy, controller.options)).toMatchObject({ action: "start" });
    expect(new Set(controller.fetched)).toEqual(new Set(chain.map(({ nf }) => nf.digest)));

    const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: 20 });
    const { flows } = await session.call("flows", { ...of, match: ["udp", lab.clientAddress], limit: 2000 });
    expect(flows).toHaveLength(FLOWS);
    expect(Object.keys(flows[0]!.nfs)).toEqual(["flow_monitor", "firewall"]);

    const first = await status();
    process.kill(first.pid!, "SIGKILL");
    const second = await until("the supervisor comes back", ({ state, pid }) => state === "running" && pid !== first.pid);
    expect(second.starts).toBe(2);

    const next = await controller.entry("firewall", newVersion(lab, "firewall", "9.9.9"));
    const swapped = await session.call("swap", { ...of, entry: "firewall", revision: 2, next, dry_run: false }, controller.options);
    expect(swapped).toMatchObject({ to: { version: "9.9.9" }, packets_dropped: 0 });
    expect(swapped.flows).toBeGreaterThanOrEqual(FLOWS);

    const killed = once(daemon, "exit");
    daemon.kill("SIGKILL");
    await killed;
    process.kill(second.pid!, "SIGKILL");
    await session.closed;
    daemon = startDaemon();
    const third = await until("both come back", ({ state, revision }) => state === "running" && revision === 2);
    expect(third.pid).not.toBe(second.pid);
    expect(third.spec.chain[1]!.nf.digest).toBe(next.nf.digest);
    const again = await controller.session();
    const { runtimes } = await again.call("poll_load", of);
    expect(runtimes.map(({ runtime, restarts }) => [runtime, restarts])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);

    const { lost, reordered, repeated, silenceMs } = await traffic.end();
    expect({ lost, reordered, repeated }).toEqual({ lost: 0, reordered: 0, repeated: 0 });
    console.log(`daemon and supervisor killed: silence ${silenceMs} ms at 20 ms a packet`);

    expect((await again.call("undeploy", { ...of, dry_run: false }, controller.options)).flows_ended).toBeGreaterThanOrEqual(FLOWS);
    for (const { pid } of [third, ...runtimes]) expect(startOf(pid!)).toBeUndefined();
    expect(await again.call("deployments", {})).toEqual({ deployments: [] });

    expect(await again.call("deploy", { ...deploy, revision: 3 }, controller.options)).toMatchObject({ action: "start" });
    const left = await status();
    const ended = once(daemon, "exit");
    daemon.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(said).toContain("the daemon has ended; blue/web go on");
    expect(startOf(left.pid!)).toBeDefined();
    const end = await finished(command("--state", join(lab.folder, "state"), "--end", "--yes", "--json"));
    expect(JSON.parse(end.stdout)).toEqual({ dry_run: false, deployments: [of.deployment] });
    expect(startOf(left.pid!)).toBeUndefined();
  }, 120_000);
});
