/**
 * A tenant in processes of its own under real traffic: it does what one process does, and whoever of it is killed comes back while the others go on. Needs
 * root, as CI has.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import { isAlive, startOf } from "../../host/src/supervisor/process_id.ts";
import { LiveHost, newVersion, nfactor } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { BalancedLab, balancedChain, before as backends } from "./testing/balanced_lab.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { Members, balance, goneBy, interrupt, isWhole, pidOf } from "./testing/members.ts";
import { keepsItsPromises, tableOf } from "./testing/promises.ts";

const CHAIN = "flow_monitor,firewall,http_parser";
/** Of a hundred flows, so many have been opened in each of two runtimes at least: round robin, with some of the test's own. */
const SOME_FLOWS = 40;
/** A process of which nothing is heard for 3 s is taken to hang. */
const STOPPED_MS = 1500;

describeAsRoot("in processes", () => {
  let lab: NetworkLab;
  beforeEach(() => {
    lab = new NetworkLab();
  });
  afterEach(() => lab.close());

  const start = (name: string, runtimes: number, ...more: string[]): Promise<LiveHost> =>
    LiveHost.start(lab, name, ["--chain", CHAIN, "--runtimes", String(runtimes), "--processes", ...more]);
  const statusOf = (host: LiveHost): Promise<RuntimeJson[]> => new Members(host).all();
  const until = (host: LiveHost, what: string, isSo: (all: readonly RuntimeJson[]) => boolean): Promise<RuntimeJson[]> => new Members(host).until(what, isSo);
  const runFolder = (host: LiveHost): string => join(lab.folder, `nfactor-${process.getuid!()}`, `${host.name}.run`);

  /** A download whose end waits for `release`: what is not taken from the pipe holds curl and then the server back. */
  const download = async (bytes: number): Promise<{ wanted: string; got: Promise<string>; release(): void }> => {
    const www = await lab.startNginx();
    const file = randomBytes(bytes);
    writeFileSync(join(www, "large"), file);
    const curl = lab.spawn("client", "curl", ["-sS", "--max-time", "150", `http://${lab.serverAddress}/large`]);
    const hash = createHash("sha256");
    let [stderr, taken] = ["", 0];
    curl.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const got = once(curl, "close").then(([code]) => (code === 0 ? hash.digest("hex") : `curl ended with ${String(code)}: ${stderr}`));
    const pace = setInterval(() => {
      const chunk = curl.stdout!.read(Math.min(20_000, bytes / 2 - taken, curl.stdout!.readableLength)) as Buffer | null;
      taken += chunk?.length ?? 0;
      if (chunk !== null) hash.update(chunk);
    }, 5);
    const release = (): void => {
      clearInterval(pace);
      curl.stdout!.on("data", (chunk: Buffer) => hash.update(chunk));
    };
    return { wanted: createHash("sha256").update(file).digest("hex"), got, release };
  };

  test.each([4])(
    "a download runs through %i runtimes, while flows move and one of them comes and goes",
    async (runtimes) => {
      const host = await start("download", runtimes);
      const { wanted, got, release } = await download(60_000_000);
      const before = await statusOf(host);
      expect(before.map(({ runtime, state }) => `${runtime} ${state}`)).toEqual([
        "0 vswitch",
        ...Array.from({ length: runtimes }, (_, i) => `${i + 1} running`),
      ]);
      const pids = new Set(before.map(({ pid }) => pid));
      expect(pids.size).toBe(runtimes + 1);
      for (let i = 0; i < 5; i++) {
        for (let from = 1; from <= runtimes; from++) {
          const moved = await host.json<{ failed: number; reason: string }>("migrate", "--from", String(from), "--to", String((from % runtimes) + 1), "--all");
          expect(moved).toMatchObject({ failed: 0, reason: "none" });
        }
      }
      const added = await host.json<{ runtime: number; pid: number }>("runtimes add");
      expect(added.runtime).toBe(runtimes + 1);
      expect(pids.has(added.pid)).toBe(false);
      expect(await host.json("migrate", "--from", "1", "--to", String(added.runtime), "--all")).toMatchObject({ failed: 0 });
      expect(await host.json("drain", String(added.runtime))).toMatchObject({ failed: 0, drained: true });
      await host.json("runtimes remove", String(added.runtime));
      release();
      expect(await got).toBe(wanted);
      const flows = (await host.flows("tcp", ":80")).flows;
      expect(flows.every(({ runtime }) => runtime! >= 1 && runtime! <= runtimes)).toBe(true);
      const { packets, faults, runtimes: done } = await host.stop();
      expect(faults).toEqual([]);
      expect(balance(packets)).toBe(0);
      expect(packets.lost_in_failure).toBeUndefined();
      expect(done!.every(({ restarts }) => restarts === 0)).toBe(true);
      for (const { pid } of before) expect(startOf(pid!)).toBeUndefined();
      expect(existsSync(runFolder(host))).toBe(false);
    },
    180_000,
  );

  test("1,300 connections through NAT and load balancer keep their public port and their backend, though they move from process to process", async () => {
    const [count, rounds, brief] = [300, 4, 100];
    lab.close();
    const wire = new BalancedLab();
    lab = wire.lab;
    await wire.start();
    await wire.joinDirectly();
    const config = join(lab.folder, "nfactor.yaml");
    const runtimes = { count: 3, processes: true };
    writeFileSync(config, JSON.stringify({ apiVersion: "nfactor/v1", flows: { idle_ms: { udp: 300_000 } }, runtimes, chain: balancedChain(backends) }));
    const host = await LiveHost.start(lab, "mappings", ["--config", config]);
    const client = await host.connect();
    let [going, moved] = [true, 0];
    const moves = (async () => {
      for (let i = 0; going; i++) {
        const [from, to] = [1 + (i % 3), 1 + ((i + 1) % 3)];
        moved += (await client.call("migrate", { from, to, flows: { count: 100 }, dry_run: false })).moved;
      }
    })();
    await wire.openConnections(count, { rounds, brief });
    const connections = await wire.goOn();
    going = false;
    await moves;
    expect(moved).toBeGreaterThan(connections.length);
    const { flows, more } = await client.call("flows", { match: [], limit: 10_000 });
    client.close();
    expect(more).toBe(false);
    expect(new Set(flows.map(({ runtime }) => runtime)).size).toBe(3);
    keepsItsPromises(connections, tableOf(flows), count, { rounds, brief, then: backends });
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(packets.lost_in_failure).toBeUndefined();
    expect(balance(packets)).toBe(0);
    console.log(`${moved} flows moved under ${connections.length} connections; dropped ${JSON.stringify(packets.dropped)}`);
  }, 120_000);

  test("a runtime is killed: the others go on, its flows open again, it comes back, and every packet is in the books", async () => {
    const host = await start("killed", 2);
    const traffic = await NumberedFlows.start(lab, { flows: 100, everyMs: 20 });
    const before = await statusOf(host);
    const dead = { pid: pidOf(before, 1), start: startOf(pidOf(before, 1))! };
    expect(before[1]!.flows).toBeGreaterThan(SOME_FLOWS);
    // An answer that comes after the death opens the flow the other way round.
    const clientOf = ({ initiator, responder }: { initiator: { port: number }; responder: { port: number } }): number =>
      Math.max(initiator.port, responder.port);
    const survivors = (await host.flows("udp")).flows.filter(({ runtime }) => runtime === 2).map(({ key }) => clientOf(key));
    process.kill(dead.pid, "SIGKILL");
    const after = await until(host, "runtime 1 comes back", (all) => isWhole(all) && pidOf(all, 1) !== dead.pid);
    expect(isAlive(dead)).toBe(false);
    expect(after.map(({ restarts }) => restarts)).toEqual([0, 1, 0]);
    expect([pidOf(after, 0), pidOf(after, 2)]).toEqual([pidOf(before, 0), pidOf(before, 2)]);
    // All flows are open, those of the other runtime where they were.
    let { flows } = await host.flows("udp");
    const open = (): number => new Set(flows.map(({ key }) => clientOf(key))).size;
    for (let i = 0; i < 100 && open() < 100; i++) ({ flows } = await host.flows("udp"));
    expect(open()).toBe(100);
    for (const { key, runtime } of flows) if (survivors.includes(clientOf(key))) expect(runtime).toBe(2);
    const { sent, answered, lost, overflowed, reordered, repeated, silenceMs } = await traffic.end();
    const { packets, faults } = await host.stop();
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    expect(sent - answered).toBe(lost + overflowed);
    expect(balance(packets)).toBe(0);
    expect(lost).toBeLessThanOrEqual(goneBy(packets));
    expect(faults).toEqual([]);
    console.log(`killed: silence ${silenceMs} ms at 20 ms a packet; ${lost} of ${sent} packets lost, ${packets.lost_in_failure ?? 0} of them in the failure`);
    expect(host.messages).toContain(`runtime 1 (pid ${dead.pid}) has died: SIGKILL; it is started again`);
  }, 120_000);

  const killedUnderADownload = async (mode: string): Promise<void> => {
    const host = await start(`replicated-${mode}`, 3, "--replicas", "1", "--replication", mode);
    const { wanted, got, release } = await download(60_000_000);
    const runtimeOf = async (): Promise<number> => (await host.flows("tcp", ":80")).flows[0]!.runtime!;
    for (const killed of [1, 2]) {
      // What runtimes say of themselves is asked for once in a second.
      await new Promise((done) => setTimeout(done, 1500));
      const all = await until(host, "every flow has a replica", (now) => isWhole(now) && now.every(({ unprotected }) => unprotected === 0));
      const runtime = await runtimeOf();
      process.kill(pidOf(all, runtime), "SIGKILL");
      await until(host, `death ${killed} is over`, (now) => isWhole(now) && pidOf(now, runtime) !== pidOf(all, runtime));
      expect(await runtimeOf()).not.toBe(runtime);
    }
    const [vswitch] = await until(host, "both were recovered", ([first]) => first!.recovered >= 2);
    expect(vswitch!.state_lost).toBe(0);
    release();
    expect(await got).toBe(wanted);
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
    console.log(`${mode}: ${packets.lost_in_failure ?? 0} of ${packets.received} packets lost in failures, dropped ${JSON.stringify(packets.dropped)}`);
  };
  test("with replicas the runtime of a download is killed, then its heir: the download goes on, with the right checksum", async () => {
    await killedUnderADownload("hold");
  }, 180_000);
  test("the same when the replicas relay", async () => {
    await killedUnderADownload("relay");
  }, 180_000);

  test("the vswitch is killed: it comes back with a higher term, and traffic goes on", async () => {
    const host = await start("switch", 2);
    const traffic = await NumberedFlows.start(lab, { flows: 20, everyMs: 50 });
    const before = await statusOf(host);
    process.kill(pidOf(before, 0), "SIGKILL");
    const after = await until(host, "the vswitch comes back", (all) => isWhole(all) && pidOf(all, 0) !== pidOf(before, 0));
    expect(after[0]!.restarts).toBe(1);
    const { received, sent } = (await until(host, "it sends", ([vswitch]) => vswitch!.sent > 0))[0]!;
    await until(host, "it goes on", ([vswitch]) => vswitch!.received > received && vswitch!.sent > sent);
    const { reordered, repeated, silenceMs } = await traffic.end();
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    console.log(`the switch killed: silence ${silenceMs} ms at 50 ms a packet`);
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 120_000);

  test("the supervisor is killed: nothing happens to the traffic, and the next one takes the processes over", async () => {
    const first = await start("orphans", 2);
    const before = await statusOf(first);
    const traffic = await NumberedFlows.start(lab, { flows: 50, everyMs: 20 });
    await first.json("drain", "2");
    process.kill(first.pid, "SIGKILL");
    await new Promise((done) => setTimeout(done, 1000));
    for (const { pid } of before) expect(startOf(pid!)).toBeDefined();

    // Whoever would run them in one process, or with other settings, is told what is there.
    const ifaces = ["--client-iface", lab.clientIface, "--server-iface", lab.serverIface, "--name", "orphans", "--runtimes", "2"];
    const env = { XDG_RUNTIME_DIR: lab.folder };
    const inOne = await lab.run("wire", "env", [`XDG_RUNTIME_DIR=${lab.folder}`, process.execPath, "bin/nfactor", "run", "--chain", CHAIN, ...ifaces]);
    expect(inOne).toMatchObject({ code: 1, stdout: "" });
    expect(inOne.stderr).toContain("error[host.socket]: processes of host 'orphans' still run: ");
    const other = await lab.run("wire", "env", [
      `XDG_RUNTIME_DIR=${lab.folder}`,
      process.execPath,
      "bin/nfactor",
      "run",
      "--chain",
      "flow_monitor",
      ...ifaces,
      "--processes",
    ]);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain("error[host.settings]: processes of host 'orphans' run already, with other settings: chain is 'flow_monitor ");
    expect((await nfactor(["runtimes"], { env })).code).toBe(1);

    const second = await start("orphans", 2);
    const after = await statusOf(second);
    expect(after.map(({ pid, restarts }) => ({ pid, restarts }))).toEqual(before.map(({ pid, restarts }) => ({ pid, restarts })));
    expect(after[2]!.state).toBe("drained");
    expect(second.messages).toContain("is taken over");
    expect(await second.json("undrain", "2")).toEqual({ runtime: 2, was_draining: true });
    expect(await second.json("migrate", "--from", "1", "--to", "2", "--count", "10")).toMatchObject({ moved: 10, failed: 0 });
    // And it does for them what the first one did.
    process.kill(pidOf(after, 1), "SIGKILL");
    await until(second, "runtime 1 comes back", (all) => isWhole(all) && pidOf(all, 1) !== pidOf(after, 1));
    const { reordered, repeated, lost } = await traffic.end();
    const { packets } = await second.stop();
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    expect(lost).toBeLessThanOrEqual(goneBy(packets));
    expect(balance(packets)).toBe(0);
    for (const { pid } of after) expect(startOf(pid!)).toBeUndefined();
  }, 120_000);

  test("one that died while nobody watched is started by the next supervisor, and is in its books", async () => {
    const first = await start("alone", 2);
    const before = await statusOf(first);
    const traffic = await NumberedFlows.start(lab, { flows: 40, everyMs: 20 });
    process.kill(first.pid, "SIGKILL");
    process.kill(pidOf(before, 2), "SIGKILL");
    await new Promise((done) => setTimeout(done, 1000));
    const second = await start("alone", 2);
    const after = await until(second, "runtime 2 comes back", isWhole);
    expect([pidOf(after, 0), pidOf(after, 1)]).toEqual([pidOf(before, 0), pidOf(before, 1)]);
    expect(after.map(({ restarts }) => restarts)).toEqual([0, 0, 1]);
    const { lost, reordered, repeated } = await traffic.end();
    const { packets } = await second.stop();
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    expect(balance(packets)).toBe(0);
    expect(lost).toBeLessThanOrEqual(goneBy(packets));
  }, 120_000);

  test("stopped for a while: a runtime is fenced and replaced, and nothing of its late output comes; the switch pauses and goes on", async () => {
    const host = await start("stopped", 2);
    const traffic = await NumberedFlows.start(lab, { flows: 40, everyMs: 20 });
    const before = await statusOf(host);
    process.kill(pidOf(before, 1), "SIGSTOP");
    await until(host, "runtime 1 is turned away from", () => host.messages.includes("runtime 1 is turned away from: it is silent"));
    if (startOf(pidOf(before, 1)) !== undefined) process.kill(pidOf(before, 1), "SIGCONT");
    const after = await until(host, "runtime 1 is replaced", (all) => isWhole(all) && pidOf(all, 1) !== pidOf(before, 1));
    process.kill(pidOf(after, 0), "SIGSTOP");
    await pause(STOPPED_MS);
    process.kill(pidOf(after, 0), "SIGCONT");
    const { sent: sentBefore } = after[0]!;
    const end = await until(host, "all go on", (all) => isWhole(all) && all[0]!.sent > sentBefore);
    expect(pidOf(end, 0)).toBe(pidOf(before, 0));
    const { sent, lost, reordered, repeated, silenceMs } = await traffic.end();
    const { packets } = await host.stop();
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    expect(balance(packets)).toBe(0);
    const books = JSON.stringify({ ...packets.dropped, lost_in_failure: packets.lost_in_failure });
    console.log(`stopped, both: silence ${silenceMs} ms; ${lost} of ${sent} packets lost, by the books ${books}`);
  }, 120_000);

  test("without its state on disk the supervisor starts nothing, and says so; traffic goes on", async () => {
    const host = await start("disk", 2);
    const before = await statusOf(host);
    const inTheWay = join(runFolder(host), "state.json.new");
    mkdirSync(inTheWay);
    process.kill(pidOf(before, 1), "SIGKILL");
    await new Promise((done) => setTimeout(done, 2000));
    const meanwhile = await statusOf(host);
    expect(meanwhile[1]).toMatchObject({ state: "down", restarts: 0 });
    expect(host.messages).toContain("the state of the processes cannot be written");
    expect((await lab.run("client", "ping", ["-c", "3", "-i", "0.1", "-W", "1", lab.serverAddress])).stdout).toContain("3 received");
    rmSync(inTheWay, { recursive: true });
    await until(host, "runtime 1 comes back", isWhole);
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 60_000);

  test("asked to leave, the supervisor ends and the processes go on; the next one takes them over", async () => {
    const first = await start("leave", 2);
    const before = await statusOf(first);
    process.kill(first.pid, "SIGUSR2");
    const { packets, runtimes } = await first.ended();
    expect(packets.lost_in_failure).toBeUndefined();
    expect(runtimes!.map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
    expect(first.messages).toMatch(/the vswitch \(pid \d+\), runtime 1 \(pid \d+\), runtime 2 \(pid \d+\) go on; /);
    expect((await lab.run("client", "ping", ["-c", "3", "-i", "0.1", "-W", "1", lab.serverAddress])).stdout).toContain("3 received");
    const second = await start("leave", 3);
    expect((await statusOf(second)).map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
    expect(second.messages).toContain("host 'leave' has 2 runtimes, not 3");
    expect(balance((await second.stop()).packets)).toBe(0);
  }, 60_000);

  test("a second Ctrl-C ends all of them at once", async () => {
    const host = await start("hurry", 2);
    const before = await statusOf(host);
    // A vswitch that does nothing keeps a graceful end waiting for seconds.
    process.kill(pidOf(before, 0), "SIGSTOP");
    await interrupt(host.pid);
    await interrupt(host.pid);
    expect(await host.exitCode).toBe(130);
    for (const { pid } of before) expect(startOf(pid!)).toBeUndefined();
    expect(existsSync(runFolder(host))).toBe(false);
  }, 60_000);

  test("Ctrl-C while the chain is made ready: the processes that wait for it end, and nothing is left", async () => {
    const folder = join(lab.folder, `nfactor-${process.getuid!()}`, "early.run");
    const env = [`XDG_RUNTIME_DIR=${lab.folder}`, `XDG_CACHE_HOME=${join(lab.folder, "cache")}`];
    const args = ["--chain", CHAIN, "--runtimes", "2", "--processes", "--client-iface", lab.clientIface, "--server-iface", lab.serverIface];
    const run = lab.spawn("wire", "env", [...env, process.execPath, "bin/nfactor", "run", ...args, "--name", "early"]);
    const waiting = (): string[] =>
      readdirSync("/proc").filter((pid) => {
        try {
          return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`standby\0${folder}/`);
        } catch {
          return false;
        }
      });
    // Nobody has admitted this chain yet, which takes much longer than to notice these.
    await expect.poll(() => waiting().length, { interval: 10, timeout: 30_000 }).toBe(3);
    run.kill("SIGINT");
    expect(await once(run, "exit")).toEqual([130, null]);
    expect(existsSync(folder)).toBe(false);
    await expect.poll(() => waiting(), { timeout: 30_000 }).toEqual([]);
  }, 60_000);

  test("a swap reaches all of them, and those that start later", async () => {
    const host = await start("swap", 2);
    const artifact = newVersion(lab, "firewall", "1.0.7");
    const traffic = await NumberedFlows.start(lab, { flows: 20, everyMs: 20 });
    expect(await host.swap("firewall", artifact)).toMatchObject({ packets_dropped: 0, to: { version: "1.0.7" } });
    const before = await statusOf(host);
    process.kill(pidOf(before, 2), "SIGKILL");
    await until(host, "runtime 2 comes back", (all) => isWhole(all) && pidOf(all, 2) !== pidOf(before, 2));
    const state = JSON.parse(readFileSync(join(runFolder(host), "state.json"), "utf8")) as { runs: Record<string, string> };
    expect(state.runs["chain"]).toContain("firewall 1.0.7 ");
    const spec = readdirSync(runFolder(host)).find((file) => file.startsWith("m2.") && file.endsWith(".spec.json"))!;
    expect(readFileSync(join(runFolder(host), spec), "utf8")).toContain('"version":"1.0.7"');
    await traffic.end();
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 120_000);

  test.each(["another version", "another configuration of the same version"])(
    "the supervisor is killed in the middle of a swap to %s: the next one asks the runtimes what they run, and brings them to what is wanted",
    async (what) => {
      const first = await start("unfinished", 2);
      // As a swap is left whose runtimes are ahead of what is on disk.
      const state = join(runFolder(first), "state.json");
      const known = readFileSync(state);
      const rules = join(lab.folder, "rules.yaml");
      writeFileSync(rules, "rules: [{ action: drop, protocol: tcp, ports: 25 }]\n");
      if (what === "another version") await first.swap("firewall", newVersion(lab, "firewall", "1.0.9"));
      else await first.swap("firewall", "firewall", "--config", rules);
      const [, one] = await statusOf(first);
      process.kill(first.pid, "SIGKILL");
      await first.exitCode;
      writeFileSync(state, known);
      const second = await start("unfinished", 2);
      for (const runtime of [1, 2]) expect(second.messages).toMatch(new RegExp(`runtime ${runtime} did not run firewall \\S+ as it is wanted, and does now`));
      expect((await statusOf(second))[1]!.pid).toBe(one!.pid);
      process.kill(second.pid, "SIGKILL");
      await second.exitCode;
      // There is nothing left to be done.
      const third = await start("unfinished", 2);
      expect(third.messages).toContain("is taken over");
      expect(third.messages).not.toContain("did not run");
      expect(balance((await third.stop()).packets)).toBe(0);
    },
    60_000,
  );

  test("jumbo frames go through all of it; an interface that lets longer ones in is refused", async () => {
    const set = (place: "client" | "wire" | "server", iface: string, mtu: number): ReturnType<NetworkLab["run"]> =>
      lab.run(place, "ip", ["link", "set", iface, "mtu", String(mtu)]);
    await Promise.all([set("client", "veth0", 9000), set("wire", lab.clientIface, 9000), set("wire", lab.serverIface, 9000), set("server", "veth0", 9000)]);
    const host = await start("jumbo", 2, "--replicas", "1");
    const ping = await lab.run("client", "ping", ["-M", "do", "-s", String(9000 - 28), "-c", "3", "-i", "0.1", "-W", "2", lab.serverAddress]);
    expect(ping.stdout).toContain("3 received");
    const { packets } = await host.stop();
    expect(balance(packets)).toBe(0);
    await set("wire", lab.serverIface, 20_000);
    await expect(start("longer", 2)).rejects.toThrow("interface 'right' has an MTU of 20000; allowed are 9256 at most: ip link set right mtu 9000");
  }, 60_000);

  test("what cannot start says why, and leaves nothing", async () => {
    const wrong = join(lab.folder, "rules.yaml");
    writeFileSync(wrong, "rules: [{ action: drop, protocol: tcp, ports: 25-23 }]\n");
    const args = ["run", "--chain", "firewall", "--nf-config", `firewall=${wrong}`, "--runtimes", "2", "--processes", "--name", "wrong"];
    const ifaces = ["--client-iface", lab.clientIface, "--server-iface", lab.serverIface];
    const run = (...more: string[]): ReturnType<NetworkLab["run"]> =>
      lab.run("wire", "env", [`XDG_RUNTIME_DIR=${lab.folder}`, process.execPath, "bin/nfactor", ...args, ...ifaces, ...more]);
    const refused = await run();
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/^error\[config\.port_range\]: \S+rules\.yaml:1:\d+: chain 'firewall': .*the first is above the last/m);
    const missing = await lab.run("wire", "env", [
      `XDG_RUNTIME_DIR=${lab.folder}`,
      "NFACTOR_NFACTORD=/nowhere/nfactord",
      ...[process.execPath, "bin/nfactor", "run", "--chain", "flow_monitor", "--runtimes", "2", "--processes", ...ifaces],
    ]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("error[native.missing]: the native dataplane is not built (/nowhere/nfactord does not exist)");
    const left = existsSync(join(lab.folder, `nfactor-${process.getuid!()}`)) ? readdirSync(join(lab.folder, `nfactor-${process.getuid!()}`)) : [];
    expect(left).toEqual([]);
  }, 60_000);
});
