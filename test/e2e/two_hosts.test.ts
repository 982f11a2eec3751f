/**
 * A tenant on two hosts, which are namespaces with a cable between them: a vswitch and a runtime here, a runtime at an agent there. What dies or cannot be
 * reached there costs what it costs here. Needs root, as CI has.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import type { Method, Params, Result } from "../../host/src/rpc/protocol.ts";
import { startOf } from "../../host/src/supervisor/process_id.ts";
import { HeldDownload } from "../../scripts/lib/held_download.ts";
import { LiveHost, NFACTOR, newVersion } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { Members, balance, interrupt, isProtected, isWhole, pidOf, sum } from "./testing/members.ts";
import { AT_LINK, TwoHosts, controlFrames, forgedHeartbeat, tsharkFields } from "./testing/two_hosts.ts";

const FILE_BYTES = 40_000_000;
const HOLD_AT = 10_000_000;

describeAsRoot("on two hosts", () => {
  let lab: NetworkLab;
  let hosts: TwoHosts;
  beforeEach(async () => {
    lab = new NetworkLab();
    hosts = new TwoHosts(lab);
    await hosts.startAgent();
  });
  afterEach(() => lab.close());

  const statusOf = (host: LiveHost): Promise<RuntimeJson[]> => new Members(host).all();
  /** What the runtimes say once it is as wanted; fails when it does not become so. */
  const until = async (host: LiveHost, what: string, isSo: (all: readonly RuntimeJson[]) => boolean): Promise<RuntimeJson[]> => {
    let all: RuntimeJson[] = [];
    for (let i = 0; i < 400; i++) {
      all = await statusOf(host);
      if (isSo(all)) return all;
      await pause(100);
    }
    throw new Error(`${what}: it did not come to that\n${JSON.stringify(all, null, 1)}\n${host.messages}\n${hosts.said}`);
  };
  const download = async (): Promise<{ wanted: string; held: HeldDownload }> => {
    const www = await lab.startNginx();
    const file = randomBytes(FILE_BYTES);
    writeFileSync(join(www, "large"), file);
    const held = new HeldDownload(lab, `http://${lab.serverAddress}/large`, { holdAt: HOLD_AT, bytesPerSecond: 2_000_000 });
    await held.begun();
    return { wanted: createHash("sha256").update(file).digest("hex"), held };
  };
  /** Connections that are all open when this resolves, and wait. */
  const downloadMany = async (count: number): Promise<{ wanted: string; held: HeldDownload }[]> => {
    const www = await lab.startNginx();
    const downloads = Array.from({ length: count }, (_, i) => {
      const file = randomBytes(4_000_000);
      writeFileSync(join(www, `file${i}`), file);
      const held = new HeldDownload(lab, `http://${lab.serverAddress}/file${i}`, { holdAt: 400_000, bytesPerSecond: 40_000 });
      return { wanted: createHash("sha256").update(file).digest("hex"), held };
    });
    for (const { held } of downloads) await held.begun();
    return downloads;
  };
  const all = { flows: { all: true }, dry_run: false } as const;
  const ask = async <M extends Method>(host: LiveHost, method: M, params: Params<M>): Promise<Result<M>> => {
    const client = await host.connect();
    return client.call(method, params).finally(() => client.close());
  };
  const runtimeOfDownload = async (host: LiveHost): Promise<number | undefined> => (await host.flows("tcp", ":80")).flows[0]?.runtime;
  /** All flows are at the far runtime, and the other one has their states. */
  const bringFar = async (host: LiveHost): Promise<RuntimeJson[]> => {
    expect(await host.json("migrate", "--from", "1", "--to", "2", "--all")).toMatchObject({ failed: 0, reason: "none" });
    // What runtimes say of themselves is asked for once in a second.
    await pause(1500);
    const all = await until(host, "every flow has a replica", isProtected);
    expect(await runtimeOfDownload(host)).toBe(2);
    return all;
  };

  test("a download at the far runtime goes on when that is killed, and when the cable is cut; the books are exact", async () => {
    const host = await hosts.startHost("download", "--replicas", "1");
    expect((await statusOf(host)).map(({ runtime, agent }) => ({ runtime, agent }))).toEqual([
      { runtime: 0, agent: undefined },
      { runtime: 1, agent: undefined },
      { runtime: 2, agent: hosts.address },
    ]);
    const { wanted, held } = await download();
    const first = await bringFar(host);
    process.kill(pidOf(first, 2), "SIGKILL");
    await until(host, "the far runtime comes back", (all) => isProtected(all) && pidOf(all, 2) !== pidOf(first, 2));
    expect(await runtimeOfDownload(host)).toBe(1);

    const second = await bringFar(host);
    lab.setUp("between", false);
    await until(host, "the far runtime is turned away from", (all) => all[2]!.state === "down");
    await until(host, "its flows are recovered", ([vswitch]) => vswitch!.recovered >= 2);
    expect(await runtimeOfDownload(host)).toBe(1);
    lab.setUp("between", true);
    const third = await until(host, "the far runtime is back", (all) => isWhole(all) && pidOf(all, 2) !== pidOf(second, 2));
    expect(startOf(pidOf(second, 2))).toBeUndefined();
    expect(third[0]!.state_lost).toBe(0);

    expect(await held.finish()).toMatchObject({ code: 0, bytes: FILE_BYTES, sha256: wanted });
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
    expect(readdirSync(join(hosts.farFolder, `nfactor-${process.getuid!()}`, "download.agent")).filter((file) => file.startsWith("m"))).toEqual([]);
    console.log(`two hosts: ${packets.received} packets, ${packets.lost_in_failure ?? 0} lost in two failures, dropped ${JSON.stringify(packets.dropped)}`);
  }, 180_000);

  test("two runtimes there share the cable: flows move between all, and one of them dies", async () => {
    const agent = `${hosts.agentFlag()},runtimes=2`;
    const host = await LiveHost.start(lab, "shared", [
      "--chain",
      "flow_monitor,firewall",
      "--runtimes",
      "3",
      "--processes",
      "--replicas",
      "1",
      "--agent",
      agent,
    ]);
    const before = await until(host, "all work", isWhole);
    expect(before.map((one) => one.agent)).toEqual([undefined, undefined, hosts.address, hosts.address]);
    const traffic = await NumberedFlows.start(lab, { flows: 60, everyMs: 20 });
    for (const [from, to] of [
      [2, 3],
      [3, 1],
      [1, 2],
      [2, 3],
    ]) {
      const moved = await host.json<{ moved: number }>("migrate", "--from", String(from), "--to", String(to), "--all");
      expect(moved).toMatchObject({ failed: 0, reason: "none" });
      expect(moved.moved).toBeGreaterThanOrEqual(20);
    }
    await pause(1500);
    await until(host, "every flow has a replica", isProtected);
    process.kill(pidOf(before, 3), "SIGKILL");
    const after = await until(host, "it comes back", (all) => isProtected(all) && pidOf(all, 3) !== pidOf(before, 3));
    expect(after.map(({ restarts, state_lost }) => ({ restarts, state_lost }))).toEqual([0, 0, 0, 1].map((restarts) => ({ restarts, state_lost: 0 })));
    const { reordered, repeated } = await traffic.end();
    const { packets } = await host.stop();
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    expect(balance(packets)).toBe(0);
  }, 120_000);

  test("both cables are cut: the far runtime is replaced only when it has been killed, and nobody believes it before", async () => {
    const host = await hosts.startHost("islands", "--replicas", "1");
    const { wanted, held } = await download();
    const before = await bringFar(host);
    lab.setUp("orders", false);
    await until(host, "the agent is not reachable", (all) => all[2]!.unreachable === true);
    // Packets do not need an agent.
    expect((await lab.run("client", "ping", ["-c", "3", "-i", "0.1", "-W", "1", lab.serverAddress])).stdout).toContain("3 received");
    expect(await runtimeOfDownload(host).catch(() => "cannot be asked")).not.toBe(1);
    lab.setUp("between", false);
    await until(host, "the far runtime is turned away from", (all) => all[2]!.state === "down");
    expect(await runtimeOfDownload(host)).toBe(1);
    // The way to it is there again, and nobody has killed it: it is heard, and not believed.
    lab.setUp("between", true);
    await pause(2000);
    expect(startOf(pidOf(before, 2))).toBeDefined();
    expect((await statusOf(host))[2]).toMatchObject({ state: "down", restarts: 0 });
    expect(await runtimeOfDownload(host)).toBe(1);
    lab.setUp("orders", true);
    await until(host, "the far runtime is replaced", (all) => isWhole(all) && pidOf(all, 2) !== pidOf(before, 2));
    expect(startOf(pidOf(before, 2))).toBeUndefined();
    expect(await held.finish()).toMatchObject({ code: 0, bytes: FILE_BYTES, sha256: wanted });
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 180_000);

  test("the vswitch dies while the agent cannot be reached: the next one does not wait for the runtime there", async () => {
    // For as long as the other runtime is away, nobody can keep a replica of what is new.
    const host = await hosts.startHost("waits", "--replicas", "1", "--unprotected", "available");
    const { wanted, held } = await download();
    const before = await bringFar(host);
    lab.setUp("orders", false);
    await until(host, "the agent is not reachable", (all) => all[2]!.unreachable === true);
    process.kill(pidOf(before, 0), "SIGKILL");
    await until(host, "the far runtime is turned away from", (all) => all[2]!.state === "down" && pidOf(all, 0) !== pidOf(before, 0));
    await until(host, "its flows are recovered", ([vswitch]) => vswitch!.recovered >= 1);
    expect((await lab.run("client", "ping", ["-c", "3", "-i", "0.1", "-W", "1", lab.serverAddress])).stdout).toContain("3 received");
    expect(await runtimeOfDownload(host)).toBe(1);
    lab.setUp("orders", true);
    await until(host, "the far runtime is replaced", (all) => isWhole(all) && pidOf(all, 2) !== pidOf(before, 2));
    expect(await held.finish()).toMatchObject({ code: 0, bytes: FILE_BYTES, sha256: wanted });
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 180_000);

  test("the cable carries NSH as tshark knows it; forged, repeated and damaged control frames are refused, each kind counted, and traffic goes on", async () => {
    const host = await hosts.startHost("frames");
    const traffic = await NumberedFlows.start(lab, { flows: 20, everyMs: 20 });
    // Frames from the far runtime, then frames to it.
    const fromFar = await hosts.capture("wire", () => pause(1500));
    const toFar = await hosts.capture("far", () => pause(1500));
    for (const [capture, index] of [
      [toFar, "255"],
      [fromFar, "254"],
    ] as const) {
      const packets = tsharkFields(capture, "nsh && udp", [
        "nsh.spi",
        "nsh.si",
        "nsh.mdtype",
        "nsh.nextproto",
        "nsh.contextheader",
        "eth.type",
        "ip.src",
        "ip.dst",
      ]);
      expect(packets.length).toBeGreaterThan(100);
      for (const [path, si, mdType, next, contexts, types, from, to] of packets) {
        expect(path).toMatch(/^0x[0-9a-f]{6}$|^\d+$/);
        expect({ si, mdType: Number(mdType), next: Number(next) }).toEqual({ si: index, mdType: 1, next: 3 });
        // Four words: handle, route entry, epoch, sequence.
        expect(contexts!.replaceAll(/[^0-9a-f]/g, "")).toHaveLength(32);
        expect(types).toBe("0x894f,0x0800");
        expect([from, to].sort()).toEqual([lab.clientAddress, lab.serverAddress]);
      }
    }

    const before = await statusOf(host);
    const [member, vswitch] = [2, 0];
    const toVswitch = controlFrames(fromFar, member, vswitch).slice(0, 100);
    const toMember = controlFrames(toFar, vswitch, member).slice(0, 100);
    expect(toVswitch.length).toBe(100);
    expect(toMember.length).toBe(100);
    const like = (frames: readonly Buffer[], change: (frame: Buffer, i: number) => void): Buffer[] =>
      frames.map((frame, i) => {
        const copy = Buffer.from(frame);
        change(copy, i);
        return copy;
      });
    const flip = (frame: Buffer, at: number): void => void (frame[at]! ^= 1 << (at % 8));
    for (const [end, frames] of [
      ["far", toVswitch],
      ["wire", toMember],
    ] as const) {
      await hosts.inject(end, frames);
      // One bit of each in turn, in the encrypted payload and the tag behind it.
      await hosts.inject(
        end,
        like(frames.slice(0, 60), (frame, i) => flip(frame, 30 + (i % (frame.length - 30)))),
      );
      await hosts.inject(
        end,
        frames.slice(0, 40).map((frame, i) => forgedHeartbeat(frame, randomBytes(32), 1_000_000_000 + i)),
      );
      await hosts.inject(
        end,
        like(frames.slice(0, 30), (frame) => frame.writeUInt32LE(frame.readUInt32LE(AT_LINK.incarnation) + 7, AT_LINK.incarnation)),
      );
      await hosts.inject(
        end,
        like(frames.slice(0, 20), (frame) => (frame[AT_LINK.version] = 2)),
      );
    }
    const after = await until(host, "all of it is counted", (all) => [0, 2].every((one) => sum(all[one]!.refused_frames ?? {}) >= 250));
    for (const one of [0, 2]) {
      const [then, now] = [before[one]!.refused_frames ?? {}, after[one]!.refused_frames!];
      const grown = Object.fromEntries(Object.entries(now).map(([name, n]) => [name, n - (then[name] ?? 0)]));
      expect(grown).toEqual({ replayed: 100, forged: 100, wrong_life: 30, malformed: 20 });
    }
    expect((await host.run("runtimes")).stdout).toMatch(/the vswitch refused frames on its link: .*100 forged, 100 replayed, 30 wrong life/);
    const { lost, reordered, repeated } = await traffic.end();
    expect({ lost, reordered, repeated }).toEqual({ lost: 0, reordered: 0, repeated: 0 });
    expect((await statusOf(host)).map(({ pid, restarts }) => ({ pid, restarts }))).toEqual(before.map(({ pid }) => ({ pid, restarts: 0 })));
    const { packets } = await host.stop();
    expect(packets.lost_in_failure).toBeUndefined();
    expect(balance(packets)).toBe(0);
  }, 120_000);

  test("a peer is added, given all flows and the replicas, taken over with the rest, drained and removed under traffic: no connection breaks", async () => {
    const flags = ["--chain", "firewall", "--runtimes", "2", "--processes", "--replicas", "1"];
    const first = await LiveHost.start(lab, "elastic", flags);
    const downloads = await downloadMany(8);
    const add = ["rack2", "--address", hosts.address, "--key-file", hosts.key, "--iface", "between"];
    expect(await first.json("peers add", ...add)).toEqual({ peers: 1 });
    expect(await first.json("runtimes add", "--at", "rack2")).toMatchObject({ runtime: 3 });
    const flows = (all: readonly RuntimeJson[]): number[] => all.slice(1).map((one) => one.flows);
    // Of both machines: the replicas are over there, then the flows themselves.
    for (const runtime of [1, 2]) expect(await ask(first, "set_replication_target", { runtime, targets: [3] })).toEqual({});
    const kept = await until(first, "all replicas are there", (all) => isProtected(all) && all[3]!.replicas === all[1]!.flows + all[2]!.flows);
    expect(kept[1]!.flows + kept[2]!.flows).toBeGreaterThanOrEqual(downloads.length);
    expect(kept[3]).toMatchObject({ agent: hosts.address, peer: "rack2" });
    for (const from of [1, 2]) expect(await ask(first, "migrate", { from, to: 3, ...all })).toMatchObject({ failed: 0, reason: "none" });
    await until(first, "all flows are there", (all) => flows(all)[2]! >= downloads.length);
    const refused = await first.run("peers remove", "rack2");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain("error[peer.in_use]: peer 'rack2' has runtime 3, so it cannot be removed.");

    const before = await statusOf(first);
    process.kill(first.pid, "SIGKILL");
    const host = await LiveHost.start(lab, "elastic", flags);
    const after = await until(host, "all are taken over", (all) => isWhole(all) && all.length === before.length);
    expect(after.map(({ pid, peer, targets }) => ({ pid, peer, targets }))).toEqual(before.map(({ pid, peer, targets }) => ({ pid, peer, targets })));

    expect(await ask(host, "drain", { runtime: 3, to: [], dry_run: false })).toMatchObject({ failed: 0, drained: true });
    expect(await ask(host, "remove_runtime", { runtime: 3, force: false, dry_run: false })).toEqual({ runtime: 3, dry_run: false, flows_ended: 0 });
    expect((await statusOf(host)).map(({ targets }) => targets)).toEqual([undefined, undefined, undefined]);
    expect(await ask(host, "peers", {})).toEqual({ peers: [{ name: "rack2", address: hosts.address, iface: "between", runtimes: [] }] });
    expect(await host.json("peers remove", "rack2")).toEqual({ peers: 0 });
    expect(startOf(pidOf(before, 3))).toBeUndefined();
    for (const { held, wanted } of downloads) expect(await held.finish()).toMatchObject({ code: 0, sha256: wanted });
    const [vswitch] = await statusOf(host);
    expect(vswitch).toMatchObject({ state_lost: 0, recovered: 0 });
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(packets.lost_in_failure).toBeUndefined();
    expect(balance(packets)).toBe(0);
  }, 60_000);

  test("a peer's machine cannot be reached: its runtime is removed by force, and ended when the machine is back", async () => {
    const host = await LiveHost.start(lab, "gone", ["--chain", "firewall", "--runtimes", "2", "--processes", "--replicas", "1"]);
    const key = readFileSync(hosts.key, "utf8").trim();
    expect(await ask(host, "configure_peers", { peers: [{ name: "rack2", address: hosts.address, key, iface: "between" }] })).toEqual({ peers: 1 });
    expect(await ask(host, "add_runtime", { at: "rack2" })).toMatchObject({ runtime: 3 });
    const downloads = await downloadMany(4);
    for (const from of [1, 2]) expect(await ask(host, "migrate", { from, to: 3, ...all })).toMatchObject({ failed: 0 });
    await pause(1500);
    const before = await until(host, "every flow has a replica", (all) => isProtected(all) && all[3]!.flows >= downloads.length);
    for (const cable of ["orders", "between"] as const) lab.setUp(cable, false);
    await until(host, "nobody can be reached there", (all) => all[3]?.unreachable === true && all[3].state === "down");
    await expect(ask(host, "remove_runtime", { runtime: 3, force: false, dry_run: false })).rejects.toThrow("runtime 3 has");
    expect(await host.json("runtimes remove", "3", "--force", "--yes")).toMatchObject({ runtime: 3, dry_run: false });
    expect((await statusOf(host)).map(({ runtime }) => runtime)).toEqual([0, 1, 2]);
    expect(await ask(host, "configure_peers", { peers: [] })).toEqual({ peers: 0 });
    // Its number is not given to another one while it may live.
    expect(await ask(host, "add_runtime", {})).toMatchObject({ runtime: 4 });
    expect(startOf(pidOf(before, 3))).toBeDefined();
    for (const cable of ["orders", "between"] as const) lab.setUp(cable, true);
    for (let i = 0; i < 200 && startOf(pidOf(before, 3)) !== undefined; i++) await pause(50);
    expect(startOf(pidOf(before, 3))).toBeUndefined();
    for (const { held, wanted } of downloads) expect(await held.finish()).toMatchObject({ code: 0, sha256: wanted });
    expect((await statusOf(host))[0]!.state_lost).toBe(0);
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 60_000);

  test("a second Ctrl-C ends the far runtime, too", async () => {
    const host = await hosts.startHost("hurry");
    const before = await statusOf(host);
    // A vswitch that does nothing keeps a graceful end waiting for seconds.
    process.kill(pidOf(before, 0), "SIGSTOP");
    await interrupt(host.pid);
    await interrupt(host.pid);
    expect(await host.exitCode).toBe(130);
    for (const { pid } of before.slice(0, 2)) expect(startOf(pid!)).toBeUndefined();
    // There the kernel may still have it in hand.
    for (let i = 0; i < 1000 && startOf(pidOf(before, 2)) !== undefined; i++) await pause(10);
    expect(startOf(pidOf(before, 2))).toBeUndefined();
  }, 60_000);

  test("the agent dies, then the supervisor: nothing happens to the traffic, and the next ones take over", async () => {
    const first = await hosts.startHost("orphans");
    const before = await statusOf(first);
    const traffic = await NumberedFlows.start(lab, { flows: 40, everyMs: 20 });
    await hosts.endAgent("SIGKILL");
    await until(first, "the agent is not reachable", (all) => all[2]!.unreachable === true);
    expect(first.messages).toContain(`the agent at ${hosts.address} is not reachable: its runtimes are taken to go on`);
    await hosts.startAgent();
    expect(hosts.said).toContain(`runtime 2 of 'orphans' (pid ${pidOf(before, 2)}) is taken over`);
    const again = await until(first, "the agent is reachable again", isWhole);
    expect(again.map(({ pid, restarts }) => ({ pid, restarts }))).toEqual(before.map(({ pid }) => ({ pid, restarts: 0 })));
    expect(await first.json("migrate", "--from", "1", "--to", "2", "--all")).toMatchObject({ failed: 0, reason: "none" });

    process.kill(first.pid, "SIGKILL");
    await pause(1000);
    for (const { pid } of before) expect(startOf(pid!)).toBeDefined();
    const second = await hosts.startHost("orphans");
    const after = await until(second, "all are taken over", isWhole);
    expect(after.map(({ pid, restarts }) => ({ pid, restarts }))).toEqual(before.map(({ pid }) => ({ pid, restarts: 0 })));
    expect(second.messages).toContain(`runtime 2 (pid ${pidOf(before, 2)} at ${hosts.address}) is taken over`);
    expect(await second.json("migrate", "--from", "2", "--to", "1", "--all")).toMatchObject({ failed: 0, reason: "none" });
    expect(await second.swap("firewall", newVersion(lab, "firewall", "1.0.9"))).toMatchObject({ packets_dropped: 0, to: { version: "1.0.9" } });
    const { lost, reordered, repeated } = await traffic.end();
    expect({ lost, reordered, repeated }).toEqual({ lost: 0, reordered: 0, repeated: 0 });
    const { packets } = await second.stop();
    expect(packets.lost_in_failure).toBeUndefined();
    expect(balance(packets)).toBe(0);
    for (const { pid } of before) expect(startOf(pid!)).toBeUndefined();
  }, 120_000);

  test("the key is in no argument and no log, and what cannot work is said: another key, nobody there, a cable that is too narrow", async () => {
    const host = await hosts.startHost("secret");
    const state = JSON.parse(readFileSync(join(lab.folder, `nfactor-${process.getuid!()}`, "secret.run", "state.json"), "utf8")) as { key: string };
    const secrets = [state.key, readFileSync(hosts.key, "utf8").trim()];
    for (const { pid } of await statusOf(host)) for (const secret of secrets) expect(readFileSync(`/proc/${pid!}/cmdline`, "utf8")).not.toContain(secret);
    for (const secret of secrets) expect(host.messages + hosts.said).not.toContain(secret);
    const run = (name: string, agent: string): ReturnType<NetworkLab["run"]> => {
      const ifaces = ["--client-iface", lab.clientIface, "--server-iface", lab.serverIface];
      const args = ["run", "--chain", "firewall", "--runtimes", "2", "--processes", "--name", name, "--agent", agent, ...ifaces];
      return lab.run("wire", "env", [`XDG_RUNTIME_DIR=${lab.folder}`, process.execPath, NFACTOR, ...args]);
    };
    const other = await run("other", hosts.agentFlag(hosts.keyFile("other.key", "cd")));
    expect(other).toMatchObject({ code: 1, stdout: "" });
    expect(other.stderr).toContain(`error[host.socket]: the agent at ${hosts.address} is not reachable: the two sides have different keys`);
    expect(hosts.said).toMatch(/10\.78\.0\.1 was not let in: the two sides have different keys/);
    const nobody = await run("nobody", hosts.agentFlag().replace(":7700", ":7701"));
    expect(nobody.stderr).toContain(`is not reachable: nobody listens there`);
    expect((await lab.run("wire", "ip", ["link", "set", "between", "mtu", "1500"])).code).toBe(0);
    const narrow = await run("narrow", hosts.agentFlag());
    expect(narrow).toMatchObject({ code: 2, stdout: "" });
    expect(narrow.stderr).toContain("interface 'between' on this machine, towards");
    expect(narrow.stderr).toContain("has an MTU of 1500, which no link can use");
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 120_000);
});
