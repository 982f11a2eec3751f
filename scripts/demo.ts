/**
 * `npm run demo`: the product's main job on real traffic. As root: a chain of sandboxed NFs between a real curl and a real nginx, one NF swapped for
 * a new version during a download; then four runtimes with that chain, and a download that moves between them a thousand times; then the same as
 * processes that replicate their flows, and the one that carries the download is killed, and then its heir. Last, with or without root, a capture
 * through the same chain. Ends by itself, leaves nothing behind, exits with 1 when something did not happen as it should.
 */
import { createHash, randomBytes } from "node:crypto";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunResult } from "../host/src/result/run_result.ts";
import { HeldDownload } from "./lib/held_download.ts";
import { killRuntimeOf } from "./lib/killed_runtime.ts";
import { LiveHost, ROOT, newVersion, nfactorJson } from "./lib/live_host.ts";
import { moveAround, quantile } from "./lib/moving_flow.ts";
import { NetworkLab } from "./lib/network_lab.ts";
import { tcpCounters } from "./lib/tcp_counters.ts";

const CONFIG = `apiVersion: nfactor/v1
chain:
  - { nf: flow_monitor }
  - nf: firewall
    config:
      default: allow
      rules:
        - { action: drop, protocol: tcp, side: client, to: 10.77.0.0/16, ports: 8080 }
  - { nf: http_parser }
`;
const DOWNLOAD_MIB = 100;
const RUNTIMES = 4;
const MOVES = 1000;
/** Long enough for most of the moves on a fast machine; it waits with its end for the last of them. */
const MOVING_MIB = 640;
const PLAIN_MIB = 192;
/** At this pace it lasts as long as two deaths take, and waits with its end for the second. */
const SURVIVING_MIB = 400;
const SURVIVING_BYTES_PER_SECOND = 20e6;
/** What is on its way on one connection fits where packets wait for a flow that moves, whatever the machine allows a connection by default. */
const WINDOW_BYTES = 1 << 21;

const say = (text: string): void => console.log(text);
const title = (text: string): void => say(`\n── ${text}`);
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const group = (n: number): string => n.toLocaleString("en-US");

function must(condition: boolean, text: string): void {
  say(`  ${condition ? "ok  " : "FAIL"} ${text}`);
  if (!condition) process.exitCode = 1;
}

function packetLine({ received, sent, held, dropped }: RunResult["packets"]): string {
  const reasons = Object.entries(dropped).map(([reason, n]) => `${reason} ${group(n)}`);
  return `${group(received)} packets received, ${group(sent)} sent, ${group(held)} held, dropped: ${reasons.join(", ") || "none"}`;
}

async function live(config: string): Promise<void> {
  title("Two hosts, and between them a chain of NFs that nobody has to trust");
  const lab = new NetworkLab();
  try {
    const www = await lab.startNginx();
    const file = randomBytes(DOWNLOAD_MIB << 20);
    writeFileSync(join(www, "large"), file);
    say(`  client ${lab.clientAddress} ── left [flow_monitor → firewall → http_parser] right ── server ${lab.serverAddress} (nginx)`);
    const host = await LiveHost.start(lab, "demo", ["--config", config]);
    const curl = (url: string, ...more: string[]) => lab.run("client", "curl", ["-sS", "--max-time", "60", ...more, url]);

    const hello = await curl(`http://${lab.serverAddress}/hello`);
    must(hello.stdout === "hello through the chain\n", `allowed:  GET http://${lab.serverAddress}/hello → ${JSON.stringify(hello.stdout.trim())}`);
    await curl(`http://${lab.serverAddress}/missing`, "-o", "/dev/null");
    await curl(`http://[${lab.serverAddress6}]/moved`, "-o", "/dev/null");
    const blocked = await curl(`http://${lab.serverAddress}:8080/hello`, "--connect-timeout", "2");
    must(blocked.code === 28, `blocked:  port 8080, by the firewall's rule 1 (curl: ${blocked.stderr.trim() || `exit ${blocked.code}`})`);

    title("What the host knows of each flow: state of the NFs, read by name from memory that the host owns");
    for (const { key, packets, nfs } of (await host.flows("tcp")).flows) {
      const { firewall: fw, http_parser: http, flow_monitor: monitor } = nfs;
      const ends = [key.initiator, key.responder].map(({ address, port }) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`));
      const request = http?.["method0"] ? `${String(http["method0"])} ${String(http["path0"])} → ${String((http["statuses"] as number[])[0])}` : "no HTTP seen";
      say(
        `  ${ends.join(" > ")}  packets ${packets.join("/")}  firewall.tag ${String(fw?.["tag"])}  rtt ${(Number(monitor?.["rttServerNs"] ?? 0) / 1000).toFixed(0)} µs  ${request}`,
      );
    }

    title(`A new firewall in the middle of a download of ${DOWNLOAD_MIB} MiB`);
    const next = newVersion(lab, "firewall", "1.1.0");
    await nfactorJson(["build", next]);
    const download = lab.run(
      "client",
      "curl",
      ["-sS", "--max-time", "120", "--limit-rate", "10M", "-o", join(lab.folder, "received"), "-w", "%{speed_download}", `http://${lab.serverAddress}/large`],
      150_000,
    );
    const swap = await host.swap("firewall", next);
    const under = (await host.flows("tcp", ":80")).flows.reduce((most, flow) => Math.max(most, flow.bytes[1]), 0);
    const { code, stdout: speed } = await download;
    say(
      `  firewall ${swap.from.version} → ${swap.to.version} in ${swap.prepare_ms.toFixed(0)} ms off the packet path; pause ${(swap.pause_ns / 1000).toFixed(1)} µs (a burst took ${(swap.burst_ns / 1000).toFixed(1)} µs)`,
    );
    must(under < file.length, `swapped while the download was at ${group(under)} of ${group(file.length)} bytes`);
    must(swap.packets_dropped === 0, `${swap.flows} flows kept their state, ${swap.packets_dropped} packets dropped by the swap`);
    must(
      code === 0 && sha256(readFileSync(join(lab.folder, "received"))) === sha256(file),
      `the download went on: sha256 right, ${(Number(speed) / 1e6).toFixed(0)} MB/s`,
    );
    const again = await curl(`http://${lab.serverAddress}:8080/hello`, "--connect-timeout", "2");
    must(again.code === 28, "the new version still blocks port 8080");

    const result = await host.stop();
    must(result.faults.length === 0, packetLine(result.packets));
  } finally {
    lab.close();
  }
}

/** Random bytes, `mib` of them, in steps that fit in memory everywhere; their checksum. */
function writeRandom(path: string, mib: number): string {
  const hash = createHash("sha256");
  const step = 64;
  for (let done = 0; done < mib; done += step) {
    const part = randomBytes(step << 20);
    hash.update(part);
    appendFileSync(path, part);
  }
  return hash.digest("hex");
}

/** Megabytes a second, until it has to wait, or until then. */
async function speedOf(download: HeldDownload, until: Promise<unknown> = new Promise(() => undefined)): Promise<number> {
  const [from, begin] = [download.taken, performance.now()];
  let going = true;
  void until.finally(() => (going = false));
  while (going && download.runs && !download.holds) await new Promise((done) => setTimeout(done, 2));
  return (download.taken - from) / 1000 / (performance.now() - begin);
}

async function moving(config: string): Promise<void> {
  title(`${RUNTIMES} runtimes with that chain behind a virtual switch, and a download whose flow moves ${group(MOVES)} times`);
  const lab = new NetworkLab();
  try {
    const www = await lab.startNginx();
    lab.limitWindow(WINDOW_BYTES);
    writeRandom(join(www, "plain"), PLAIN_MIB);
    const checksum = writeRandom(join(www, "large"), MOVING_MIB);
    const host = await LiveHost.start(lab, "moving", ["--config", config, "--runtimes", String(RUNTIMES)]);
    const client = await host.connect();

    const plain = new HeldDownload(lab, `http://${lab.serverAddress}/plain`, { holdAt: (PLAIN_MIB - 1) << 20 });
    await plain.begun();
    const plainSpeed = await speedOf(plain);
    await plain.finish();
    const known = new Set((await client.call("flows", { match: ["tcp"], limit: 100 })).flows.map(({ key }) => key.initiator.port));
    const before = await tcpCounters(lab, "server");

    const download = new HeldDownload(lab, `http://${lab.serverAddress}/large`, { holdAt: (MOVING_MIB - 1) << 20 });
    await download.begun();
    const { flows } = await client.call("flows", { match: ["tcp", ":80"], limit: 100 });
    const port = flows.map(({ key }) => key.initiator.port).find((one) => !known.has(one));
    const match = ["tcp", `${lab.clientAddress}:${port}`];
    const packetsOf = async () => (await client.call("flows", { match, limit: 1 })).flows[0]!;
    const first = await packetsOf();
    let underTraffic = 0;
    const all = moveAround(client, match, MOVES, () => (underTraffic += download.holds ? 0 : 1));
    const [moves, speed] = await Promise.all([all, speedOf(download, all)]);
    const last = await packetsOf();
    must(download.runs, `the download went on while its flow moved; ${group(underTraffic)} of the moves met it at full speed`);
    const received = await download.finish();
    const [server, end] = [await tcpCounters(lab, "server"), await packetsOf()];
    client.close();

    const times = (values: readonly number[]): string => `p50 ${quantile(values, 0.5).toFixed(2)} ms, p99 ${quantile(values, 0.99).toFixed(2)} ms`;
    const sum = ({ packets: [a, b] }: { packets: [number, number] }): number => a + b;
    must(moves.moved === MOVES, `${group(moves.moved)} moves, ${(moves.moved / moves.seconds).toFixed(0)} a second, one after the other`);
    say(`       a move takes ${times(moves.operations)}; the command for it, which finds the flow first, ${times(moves.commands)}`);
    say(`       ${group(sum(last) - sum(first))} packets of the flow meanwhile; ${group(moves.busy)} commands had to be repeated (busy)`);
    say(`       ${speed.toFixed(0)} MB/s while it moved, ${plainSpeed.toFixed(0)} MB/s without moves`);
    must(received.code === 0 && received.sha256 === checksum, `${group(received.bytes)} bytes arrived, sha256 right`);
    const counted = (end.nfs["flow_monitor"]?.["packets"] as unknown[]).map(Number);
    must(
      String(counted) === String(end.packets) && Number(end.nfs["http_parser"]?.["requests"]) === 1,
      `the NFs' state went along: flow_monitor has counted ${group(sum(end))} packets, as the host has; http_parser knows the one request`,
    );
    const ends = await tcpCounters(lab, "client");
    say(
      `       TCP: ${group(server.retransmitted - before.retransmitted)} retransmissions by the server (${group(server.needless - before.needless)} of what had arrived), ${group(ends.outOfOrder)} segments reached curl out of order`,
    );
    const { packets, faults } = await host.stop();
    must(faults.length === 0 && Object.keys(packets.dropped).length === 0 && packets.received === packets.sent, packetLine(packets));
  } finally {
    lab.close();
  }
}

async function surviving(config: string): Promise<void> {
  title(`${RUNTIMES} runtimes as processes that keep replicas of each other's flows: the one that carries a download is killed, and then its heir`);
  const lab = new NetworkLab();
  try {
    const www = await lab.startNginx();
    lab.limitWindow(WINDOW_BYTES);
    const checksum = writeRandom(join(www, "large"), SURVIVING_MIB);
    const host = await LiveHost.start(lab, "surviving", ["--config", config, "--processes", "--runtimes", String(RUNTIMES), "--replicas", "1"]);
    const client = await host.connect();
    const before = await tcpCounters(lab, "server");
    const holdAt = (SURVIVING_MIB - 1) << 20;
    const download = new HeldDownload(lab, `http://${lab.serverAddress}/large`, { holdAt, bytesPerSecond: SURVIVING_BYTES_PER_SECOND });
    await download.begun();
    for (const whose of ["carries the download", "took it over"]) {
      const { runtime, heir, silenceMs, wholeAgainMs } = await killRuntimeOf(client, ["tcp", ":80"], download);
      must(heir !== runtime && download.runs, `kill -9 of runtime ${runtime}, which ${whose}: runtime ${heir} goes on with it`);
      say(`       no packet reached the client for ${silenceMs.toFixed(0)} ms; after ${wholeAgainMs.toFixed(0)} ms all was as before, replicas included`);
    }
    const { runtimes } = await client.call("runtimes", {});
    client.close();
    const received = await download.finish();
    must(received.code === 0 && received.sha256 === checksum, `${group(received.bytes)} bytes arrived, sha256 right`);
    const [vswitch] = runtimes;
    must(vswitch!.state_lost === 0, `${vswitch!.recovered} recoveries of a flow, no state lost`);
    const server = await tcpCounters(lab, "server");
    say(`       TCP: ${group(server.retransmitted - before.retransmitted)} retransmissions by the server`);
    const { packets, faults } = await host.stop();
    const lost = packets.lost_in_failure ?? 0;
    const accounted = packets.sent + packets.held + lost + Object.values(packets.dropped).reduce((a, b) => a + b, 0);
    must(faults.length === 0 && packets.received === accounted, `${packetLine(packets)}; ${group(lost)} lost in failure`);
  } finally {
    lab.close();
  }
}

async function capture(config: string, folder: string): Promise<void> {
  title("A capture of curl and nginx through the same chain");
  const input = join(ROOT, "test/fixtures/http.pcap");
  const output = join(folder, "out.pcap");
  const result = await nfactorJson<RunResult>(["run", "--config", config, "--in", input, "--out", output, "--quiet"]);
  const { received, sent, held, dropped } = result.packets;
  say(`  ${packetLine(result.packets)}; ${result.flows.length} flows`);
  for (const { key, nfs } of result.flows) {
    const http = nfs["http_parser"];
    if (http === undefined || Number(http["requests"]) === 0) continue;
    const requests = Array.from(
      { length: Math.min(8, Number(http["requests"])) },
      (_, i) => `${String(http[`method${i}`])} ${String(http[`path${i}`])} → ${(http["statuses"] as number[])[i]}`,
    );
    say(`  ${key.initiator.address}:${key.initiator.port}  ${requests.join(", ")}`);
  }
  must(received === sent + held + Object.values(dropped).reduce((a, b) => a + b, 0), "received = sent + dropped by reason + held");
}

const folder = mkdtempSync(join(tmpdir(), "nfactor-demo-"));
const cleanUp = (): void => rmSync(folder, { recursive: true, force: true });
process.on("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    cleanUp();
    process.kill(process.pid, signal);
  });
}
const config = join(folder, "nfactor.yaml");
writeFileSync(config, CONFIG);
if (process.getuid?.() === 0) {
  await live(config);
  await moving(config);
  await surviving(config);
} else say("\nNot root, so no network namespaces: the live part is left out. 'sudo npm run demo' shows it.");
await capture(config, folder);
say(process.exitCode ? "\nSomething did not happen as it should; see FAIL above." : "\nEverything happened as it should.");
