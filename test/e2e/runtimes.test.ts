/**
 * Several runtimes behind a virtual switch, as a user has them: captures come out as in direct mode; live, flows move, runtimes come and go under real
 * traffic, and nothing is lost or overtaken. The live part needs root, as CI has.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "@nfactor/sdk/test";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NfError } from "../../sdk/errors.ts";
import type { RunResult } from "../../host/src/result/run_result.ts";
import type { ControlClient } from "../../host/src/rpc/client.ts";
import type { Result } from "../../host/src/rpc/protocol.ts";
import { LiveHost, ROOT, nfactor, nfactorJson } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { classicPcap } from "../conformance/pcap_file.ts";
import { generateTraffic } from "../conformance/traffic.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { describeAsRoot } from "./testing/labs.ts";

const SEED = Number(process.env["NF_RUNTIMES_SEED"] ?? Date.now() % 1_000_000);
const CHAIN = "flow_monitor,firewall,http_parser";
console.log(`seed ${SEED}; NF_RUNTIMES_SEED=${SEED} repeats it`);

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
const balance = ({ received, sent, held, dropped, emitted = 0 }: RunResult["packets"]): number => received + emitted - sent - held - sum(dropped);

describe("a capture", () => {
  const folder = mkdtempSync(join(tmpdir(), "nfactor-runtimes-"));
  const captures = { fixture: join(ROOT, "test/fixtures/http.pcap"), generated: join(folder, "generated.pcap") };
  beforeAll(() => writeFileSync(captures.generated, classicPcap(generateTraffic(SEED, 5000))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (capture: string, ...more: string[]): Promise<{ result: RunResult; out: Buffer }> => {
    const out = join(folder, "out.pcap");
    const args = ["--chain", CHAIN, "--client", "10.0.0.0/8", "--client", "fd77::/120", "--in", capture, "--out", out, "--quiet"];
    return { result: await nfactorJson<RunResult>(["run", ...args, ...more]), out: readFileSync(out) };
  };

  test.each(["fixture", "generated"] as const)(`comes out as in direct mode, whatever the number of runtimes: %s`, async (name) => {
    const direct = await run(captures[name]);
    for (const options of [
      ["--runtimes", "1"],
      ["--runtimes", "2", "--lcores", "1"],
      ["--runtimes", "2", "--lcores", "2", "--placement", "least_loaded"],
      ["--runtimes", "4", "--lcores", "2"],
    ]) {
      const what = `${options.join(" ")} (seed ${SEED})`;
      const {
        result: { runtimes, ...result },
        out,
      } = await run(captures[name], ...options);
      expect(result.packets, what).toEqual(direct.result.packets);
      // Flows of several runtimes are in order of the time of their first packets, which may be equal.
      const [flows, wanted] = [result.flows, direct.result.flows].map((list) => list.map((flow) => JSON.stringify(flow)).sort()) as [string[], string[]];
      expect(flows.length, what).toBe(wanted.length);
      flows.forEach((flow, i) => expect(JSON.parse(flow), what).toEqual(JSON.parse(wanted[i]!)));
      expect(result.faults, what).toEqual(direct.result.faults);
      expect(out.equals(direct.out), `the output file of ${what} differs`).toBe(true);
      expect(runtimes!.map(({ runtime }) => runtime)).toEqual(Array.from({ length: Number(options[1]) + 1 }, (_, i) => i));
      // Everybody had something to do.
      for (const { runtime, received } of runtimes!) expect(received, `runtime ${runtime} with ${what}`).toBeGreaterThan(0);
    }
  });

  test("the text of a result shows what each runtime did", async () => {
    const { code, stdout } = await nfactor(["run", "--chain", "flow_monitor", "--runtimes", "2", "--in", captures.fixture, "--quiet"]);
    expect(code).toBe(0);
    const rows = stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(rows).toContainEqual(["runtime", "received", "sent", "dropped", "moved in", "moved out"]);
    const received = (name: string): number => Number(rows.find(([first, n]) => first === name && Number(n) > 0)?.[1]);
    expect(received("vswitch")).toBe(161);
    // What is not IP has no flow, and does not come to a runtime.
    expect(received("1") + received("2")).toBe(149);
  });
});

describeAsRoot("live", () => {
  let lab: NetworkLab;
  const clients: ControlClient[] = [];
  beforeEach(() => {
    lab = new NetworkLab();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    lab.close();
  });
  const connect = async (host: LiveHost): Promise<ControlClient> => {
    const client = await host.connect();
    clients.push(client);
    return client;
  };
  const statusOf = async (client: ControlClient): Promise<Result<"runtimes">["runtimes"]> => (await client.call("runtimes", {})).runtimes;

  test("a download runs through while its flow is moved 500 times, drained, and its runtimes are removed and added", async () => {
    const www = await lab.startNginx();
    const file = randomBytes(60_000_000);
    writeFileSync(join(www, "large"), file);
    const host = await LiveHost.start(lab, "moves", ["--chain", CHAIN, "--runtimes", "3"]);
    const client = await connect(host);
    const curl = lab.spawn("client", "curl", ["-sS", "--max-time", "120", `http://${lab.serverAddress}/large`]);
    let stderr = "";
    curl.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(curl, "close");
    // What is not taken from the pipe holds curl and then the server back: the download cannot end before it is let.
    const hash = createHash("sha256");
    let taken = 0;
    const pace = setInterval(() => {
      const chunk = curl.stdout!.read(Math.min(50_000, 50_000_000 - taken, curl.stdout!.readableLength)) as Buffer | null;
      taken += chunk?.length ?? 0;
      if (chunk !== null) hash.update(chunk);
    }, 5);

    const match = ["tcp", ":80"];
    const where = async (): Promise<number> => {
      const { flows } = await client.call("flows", { match, limit: 10 });
      expect(flows).toHaveLength(1);
      return flows[0]!.runtime!;
    };
    while (taken === 0) await new Promise((done) => setTimeout(done, 5));
    let at = await where();
    const random = new Random(SEED);
    for (let i = 0; i < 500; i++) {
      const to = 1 + ((at + random.below(2)) % 3);
      const report = await client.call("migrate", { from: at, to, flows: { match: [match] }, dry_run: false });
      expect(report, `move ${i + 1} from ${at} to ${to}, seed ${SEED}`).toMatchObject({ flows: 1, moved: 1, failed: 0, reason: "none" });
      at = to;
      if (i % 50 === 0) expect(await where()).toBe(at);
    }
    expect(curl.exitCode, "the download went on meanwhile").toBeNull();

    // By the commands, as an operator scales in: dry run, drain, remove.
    const dry = await host.json<Result<"drain">>("drain", String(at), "--dry-run");
    expect(dry.flows).toBeGreaterThanOrEqual(1);
    expect(await where()).toBe(at);
    const drained = await host.json<Result<"drain">>("drain", String(at));
    expect(drained).toMatchObject({ runtime: at, failed: 0, drained: true });
    expect(drained.moved).toBeGreaterThanOrEqual(1);
    expect((await statusOf(client)).find(({ runtime }) => runtime === at)).toMatchObject({ state: "drained", flows: 0 });
    expect(await host.json("runtimes remove", String(at))).toEqual({ runtime: at, dry_run: false, flows_ended: 0 });
    expect((await statusOf(client)).map(({ runtime }) => runtime)).not.toContain(at);
    expect((await host.run("drain", String(at))).stderr).toContain(`error[runtime.unknown]: there is no runtime ${at}.`);

    const { runtime: added } = await host.json<Result<"add_runtime">>("runtimes add");
    const from = await where();
    const words = await host.run("migrate", "--from", String(from), "--to", String(added), "--flow", match.join(" "));
    expect(words).toMatchObject({ code: 0, stderr: "" });
    expect(words.stdout).toMatch(new RegExp(`^runtime ${from} → ${added}: 1 flow moved in [\\d.]+ [µm]?s`));
    expect((await host.run("flows", ...match, "--runtime", String(added))).stdout).toContain(`runtime ${added}, `);
    expect(curl.exitCode, "the download went on meanwhile").toBeNull();

    clearInterval(pace);
    curl.stdout!.on("data", (chunk: Buffer) => hash.update(chunk));
    const [code] = (await ended) as [number];
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(hash.digest("hex")).toBe(createHash("sha256").update(file).digest("hex"));
    const { packets, faults, flows } = await host.stop();
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
    expect(packets.dropped).toEqual({});
    // One connection: one flow, with one request, wherever it was.
    const downloads = flows.filter(({ key }) => key.protocol === "tcp");
    expect(downloads).toHaveLength(1);
    expect(downloads[0]!.bytes[1]).toBeGreaterThan(60_000_000);
    expect(Number(downloads[0]!.nfs["http_parser"]!["requests"])).toBe(1);
  }, 180_000);

  test("300 flows with numbered packets, while commands race: nothing is overtaken, nothing comes twice, nothing is lost", async () => {
    const host = await LiveHost.start(lab, "races", ["--chain", CHAIN, "--runtimes", "4", "--placement", "least_loaded"]);
    const traffic = await NumberedFlows.start(lab, { flows: 300, everyMs: 100 });
    const callers = await Promise.all(Array.from({ length: 8 }, () => connect(host)));
    const end = Date.now() + 10_000;
    const codes = new Map<string, number>();
    let moved = 0;
    const random = new Random(SEED);
    // Runtimes 1 to 3 stay; others come and go. Some commands can only fail.
    const one = async (client: ControlClient): Promise<void> => {
      const [from, to] = [1 + random.below(5), 1 + random.below(5)];
      switch (random.below(10)) {
        case 0:
          return void (await client.call("add_runtime", {}));
        case 1: {
          const known = (await statusOf(client)).filter(({ runtime }) => runtime > 3);
          if (known.length === 0) return;
          const { runtime } = random.pick(known);
          await client.call("drain", { runtime, to: [], dry_run: false }).then((report) => (moved += report.moved));
          return void (await client.call("remove_runtime", { runtime, force: false, dry_run: false }));
        }
        case 2:
          moved += (await client.call("drain", { runtime: from, to: [], dry_run: false })).moved;
          return void (await client.call("undrain", { runtime: from }));
        case 3:
          return void (await client.call("undrain", { runtime: to }));
        case 4:
          return void (await client.call("flows", { match: ["udp"], limit: 1000, runtime: to }));
        default:
          moved += (await client.call("migrate", { from, to, flows: { count: 1 + random.below(100) }, dry_run: false })).moved;
      }
    };
    await Promise.all(
      callers.map(async (client) => {
        // As long as it takes on a machine with other things to do.
        while (Date.now() < end || moved <= 300) {
          try {
            await one(client);
          } catch (error) {
            if (!(error instanceof NfError)) throw error;
            codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
          }
        }
      }),
    );
    console.log(`${moved} flows moved, refusals: ${JSON.stringify(Object.fromEntries(codes))}`);
    const expected = ["runtime.unknown", "runtime.same", "runtime.busy", "runtime.limit", "runtime.not_empty", "runtime.last", "runtime.ended"];
    expect([...codes.keys()].filter((code) => !expected.includes(code))).toEqual([]);
    // All may be draining by now; flows that live have an owner all the same.
    const client = callers[0]!;
    for (const { runtime } of (await statusOf(client)).slice(1)) await client.call("undrain", { runtime });
    const { flows } = await client.call("flows", { match: ["udp"], limit: 1000 });
    expect(flows).toHaveLength(300);
    expect(new Set(flows.map(({ key }) => key.initiator.port)).size).toBe(300);

    const { sent, answered, lost, overflowed, reordered, repeated } = await traffic.end();
    const { packets, faults, flows: ended } = await host.stop();
    expect({ reordered, repeated }, `seed ${SEED}`).toEqual({ reordered: 0, repeated: 0 });
    expect({ lost, dropped: packets.dropped, missed: packets.missed ?? 0 }, `seed ${SEED}`).toEqual({ lost: 0, dropped: {}, missed: 0 });
    expect(answered + overflowed).toBe(sent);
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
    const udp = ended.filter(({ key }) => key.protocol === "udp");
    expect(udp).toHaveLength(300);
    // The NF's own count goes with a flow.
    for (const flow of udp) expect(flow.nfs["flow_monitor"]!["packets"]).toEqual(flow.packets.map(String));
  }, 120_000);

  test("undrain ends a drain that goes on: it says so, and the runtime takes new flows again", async () => {
    const host = await LiveHost.start(lab, "undrain", ["--chain", CHAIN, "--runtimes", "2", "--migrations", "1"]);
    const traffic = await NumberedFlows.start(lab, { flows: 600, everyMs: 100 });
    const [one, other] = [await connect(host), await connect(host)];
    let report: Result<"drain"> | undefined;
    // A drain that was through before anybody looked is begun anew.
    for (let attempt = 0; attempt < 20 && report?.undrained !== true; attempt++) {
      if (attempt > 0) await one.call("migrate", { from: 2, to: 1, flows: { count: 300 }, dry_run: false });
      const drain = one.call("drain", { runtime: 1, to: [], dry_run: false });
      while (!(await statusOf(other)).some(({ runtime, state }) => runtime === 1 && state !== "running"));
      expect(await other.call("undrain", { runtime: 1 })).toEqual({ runtime: 1, was_draining: true });
      report = await drain;
    }
    expect(report).toMatchObject({ runtime: 1, failed: 0, drained: false, undrained: true });
    expect(report!.moved).toBeLessThan(report!.flows);
    const status = (await statusOf(other)).find(({ runtime }) => runtime === 1);
    expect(status).toMatchObject({ state: "running", under_way: 0 });
    expect(status!.flows).toBeGreaterThan(0);
    expect(await traffic.end()).toMatchObject({ lost: 0, reordered: 0, repeated: 0 });
    // New flows go to either in turn.
    for (let i = 0; i < 2; i++) await lab.run("client", "ping", ["-c", "1", "-e", String(i + 1), lab.serverAddress]);
    const { flows } = await other.call("flows", { match: ["icmp"], limit: 10 });
    expect(flows.map(({ runtime }) => runtime).sort()).toEqual([1, 2]);
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 60_000);

  test("what the interfaces lose while the host gets no CPU is shown, and is no drop of the host", async () => {
    const host = await LiveHost.start(lab, "starved", ["--chain", "flow_monitor", "--runtimes", "2"]);
    const client = await connect(host);
    expect((await lab.run("client", "ping", ["-c", "1", lab.serverAddress])).code).toBe(0);
    expect(await statusOf(client)).toMatchObject([0, 1, 2].map((runtime) => ({ runtime, missed: 0, refused_messages: 0 })));
    // More than the ring in the kernel holds.
    const flood = `const s = require("node:dgram").createSocket("udp4"); let n = 0;
      const next = () => (n++ < 10000 ? s.send("x", 9, "${lab.serverAddress}", next) : s.close()); next();`;
    process.kill(host.pid, "SIGSTOP");
    const flooded = await lab.run("client", process.execPath, ["-e", flood]);
    process.kill(host.pid, "SIGCONT");
    expect(flooded).toMatchObject({ code: 0, stderr: "" });
    let missed = 0;
    for (let i = 0; i < 200 && missed === 0; i++) {
      await new Promise((done) => setTimeout(done, 50));
      missed = (await statusOf(client))[0]!.missed;
    }
    expect(missed).toBeGreaterThan(1000);
    expect((await host.run("runtimes")).stdout).toMatch(/^the interfaces lost [\d,]+ packets before they came here: /m);
    const { packets, runtimes } = await host.stop();
    expect(packets.missed).toBe(runtimes![0]!.missed);
    expect(packets.dropped).toEqual({});
    expect(balance(packets)).toBe(0);
    expect(packets.received + packets.missed!).toBeGreaterThanOrEqual(10_000);
  }, 60_000);

  test("chosen flows: those of a state, in one runtime; the others stay", async () => {
    const host = await LiveHost.start(lab, "chosen", ["--chain", CHAIN, "--runtimes", "2", "--lcores", "1"]);
    const traffic = await NumberedFlows.start(lab, { flows: 20, everyMs: 50 });
    const before = await host.json<Result<"flows">>("flows", "udp", "--runtime", "1");
    expect(before.flows).toHaveLength(10);
    const ports = before.flows.slice(0, 2).map(({ key }) => key.initiator.port);
    const args = ["--from", "1", "--to", "2", "--flow", `udp :${ports[0]}`, "--flow", `${lab.clientAddress}:${ports[1]} flow_monitor.stage=0`];
    expect(await host.json("migrate", ...args, "--dry-run")).toMatchObject({ flows: 2, moved: 0 });
    expect(await host.json("migrate", ...args)).toMatchObject({ flows: 2, moved: 2, failed: 0 });
    const after = await host.json<Result<"flows">>("flows", "udp", "--runtime", "2");
    expect(after.flows).toHaveLength(12);
    expect(after.flows.filter(({ key }) => ports.includes(key.initiator.port))).toHaveLength(2);
    const again = await host.run("migrate", ...args);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/^error\[runtime\.no_flow\]: of the \d+ flows of runtime 1 none matches /);
    expect(await host.run("runtimes remove", "2")).toMatchObject({ code: 1, stdout: "" });
    expect(await traffic.end()).toMatchObject({ lost: 0, reordered: 0 });
    // With force its flows end; what still comes for them opens new ones elsewhere.
    const removed = await host.json<Result<"remove_runtime">>("runtimes remove", "2", "--force", "--yes");
    expect(removed.flows_ended).toBeGreaterThanOrEqual(12);
    expect(balance((await host.stop()).packets)).toBe(0);
  }, 60_000);

  test("a host in direct mode refuses each of them, and says how to start it", async () => {
    const host = await LiveHost.start(lab, "direct", ["--chain", "flow_monitor"]);
    for (const command of ["runtimes", "runtimes add", "runtimes remove 1", "migrate --from 1 --to 2 --all", "drain 1", "undrain 1", "flows --runtime 1"]) {
      const { code, stdout, stderr } = await host.run(command);
      expect({ code, stdout }, command).toEqual({ code: 2, stdout: "" });
      expect(stderr, command).toMatch(
        /^error\[runtime\.direct\]: .*\n {2}Start the host with --runtimes <n> \(in nfactor\.yaml: runtimes: \{ count: <n> \}\)\.\n$/,
      );
    }
    expect((await host.flows()).flows.every((flow) => flow.runtime === undefined)).toBe(true);
    await host.stop();
  }, 60_000);
});
