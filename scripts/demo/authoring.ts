/** The first half of the demo: a controller, an NF from nothing to live traffic, and its next version while a download runs. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SwapJson } from "../../controller/src/cli/api.ts";
import { duration } from "../../host/src/result/text.ts";
import { HeldDownload } from "../lib/held_download.ts";
import { GUARD_HEART, INSPECTOR_HEART, REFUSED_PORT, writeGuard, writeInspector, writeNextGuard } from "./own_nfs.ts";
import { type Stage, curl, host, hostJson, secondsSince } from "./stage.ts";

/** Slow enough to last as long as a version is built, pushed and swapped in. */
const BYTES_PER_SECOND = 8e6;
const HELLO = "hello through the chain";

export interface Thresholds {
  readonly load_high: number;
  readonly load_target: number;
  readonly load_low: number;
}

/** Low, since the machine of the demo is client, server and switch, too. */
export const THRESHOLDS: Thresholds = { load_high: 0.15, load_target: 0.1, load_low: 0.07 };

const webYaml = ({ lab }: Stage): string => `apiVersion: nfactor/v1
ports: { client: { iface: ${lab.clientIface} }, server: { iface: ${lab.serverIface} } }
placement: round_robin # new flows to the runtimes by turns
replication: {} # the state of each flow is in two runtimes
scaling: # thresholds are low, since this machine is client and server, too; and times short, since somebody watches
  { min: 2, max: 4, load_high: ${THRESHOLDS.load_high}, load_target: ${THRESHOLDS.load_target}, load_low: ${THRESHOLDS.load_low}, smooth_ms: 500,
    grow_after_ms: 1000, grow_again_ms: 1000, move_again_ms: 1000, shrink_after_ms: 2000, shrink_again_ms: 1000 }
chain:
  - { nf: flow_monitor }
  - { nf: guard }
${[1, 2, 3, 4, 5, 6].map((i) => `  - { name: inspector_${i}, nf: inspector }`).join("\n")}
`;

export async function startController({ lab, cluster, show }: Stage): Promise<void> {
  show.title("A controller, and this machine as its host");
  show.say(
    `client ${lab.clientAddress} ── ${lab.clientIface} [ host ] ${lab.serverIface} ── server ${lab.serverAddress} (nginx): network namespaces of the demo's own`,
  );
  show.command("host", "nfactor up --state ./state &");
  const begin = performance.now();
  await cluster.up();
  const { hosts } = await cluster.json<{ hosts: { name: string; connected: boolean }[] }>("status");
  show.must(hosts.length === 1 && hosts[0]!.connected, `it answers after ${secondsSince(begin).toFixed(1)} s, and has one host, ${hosts[0]?.name}`);
}

export async function writeNfs(stage: Stage): Promise<void> {
  const { lab, show } = stage;
  show.title("NFs of your own, some lines of AssemblyScript each");
  await host(stage, "init guard");
  writeGuard(lab.folder);
  show.command("host", "$EDITOR guard/assembly/index.ts");
  show.excerpt(GUARD_HEART, 20);
  const { passed, failed } = await hostJson<{ passed: number; failed: number }>(stage, "test guard");
  show.must(passed === 1 && failed === 0, "its test passes");
  await host(stage, "init inspector");
  writeInspector(lab.folder);
  show.command("host", "$EDITOR inspector/assembly/index.ts");
  show.excerpt(INSPECTOR_HEART, 20);
  show.say("It takes some microseconds for each datagram, so that a few thousand of them are a load.");
}

export async function deploy(stage: Stage): Promise<void> {
  const { lab, show } = stage;
  show.title("Pushed once, deployed by digest");
  writeFileSync(join(lab.folder, "web.yaml"), webYaml(stage));
  show.command("host", "cat web.yaml");
  show.excerpt(webYaml(stage));
  await host(stage, "push flow_monitor");
  await host(stage, "push inspector");
  const begin = performance.now();
  show.excerpt(await host(stage, "push guard"), 1);
  show.excerpt(await host(stage, "deploy web -f web.yaml"), 1);
  const hello = await curl(stage, `http://${lab.serverAddress}/hello`);
  const seconds = secondsSince(begin);
  show.must(hello.stdout.trim() === HELLO, `${JSON.stringify(hello.stdout.trim())}, ${seconds.toFixed(1)} s after its push began, which builds it`);
  show.figure("own NF: from its push to its first packet through", `${seconds.toFixed(1)} s`, "built, checked, stored, compiled, started in two processes");
}

export async function seeItWork(stage: Stage): Promise<void> {
  const { lab, show } = stage;
  const url = `http://${lab.serverAddress}:${REFUSED_PORT}/hello`;
  show.title(`At work: port ${REFUSED_PORT} is refused`);
  const traced = host(stage, `trace web --match 'tcp port ${REFUSED_PORT}' -n 1 --seconds 15`);
  let isOver = false;
  const ended = traced.finally(() => (isOver = true));
  ended.catch(() => undefined);
  const blocked = await curl(stage, url, ["--connect-timeout", "1"]);
  // What comes in the moment in which the trace begins may be too early for it.
  while (!isOver) await lab.run("client", "curl", ["-s", "--connect-timeout", "1", url]);
  show.must(blocked.code === 28, `no connection: ${blocked.stderr.trim()}`);
  const story = await ended;
  show.excerpt(story);
  show.must(story.includes("DROP guard.refused"), "the way of its packet, hop by hop, with who dropped it and why");
  const flows = await host(stage, "flows web tcp");
  show.excerpt(flows, 6, (line) => /^\w|guard:/.test(line));
  show.must(/guard: refused=[1-9]/.test(flows) && /guard: passed=[1-9]/.test(flows), "what the NF knows of each flow, by the names of its fields");
}

export async function swapLive(stage: Stage): Promise<void> {
  const { lab, cluster, show, file } = stage;
  show.title("Its next version, in the middle of a download");
  const download = new HeldDownload(lab, file.url, { holdAt: file.bytes - (1 << 20), bytesPerSecond: BYTES_PER_SECOND });
  show.command("client", `curl ${file.url} | sha256sum &`);
  await download.begun();
  show.command("host", writeNextGuard(lab.folder));
  await host(stage, "push guard");
  const words = "swap web guard guard@0.2.0";
  const { swap } = await hostJson<SwapJson>(stage, words);
  if (!swap) throw new Error(`nfactor ${words}: the host has not carried it out\n${cluster.said}`);
  const at = download.taken;
  show.must(download.runs && at < file.bytes, `${swap.from.version} → ${swap.to.version} when the download was at ${mib(at)} of ${mib(file.bytes)}`);
  show.must(swap.packets_dropped === 0, `${swap.flows} flows kept their state, ${swap.packets_dropped} packets dropped by it`);
  const { code, sha256, bytes } = await download.finish();
  show.must(code === 0 && sha256 === file.sha256, `the download went on: ${mib(bytes)}, sha256 right`);
  const hello = await curl(stage, `http://${lab.serverAddress}:${REFUSED_PORT}/hello`, ["--connect-timeout", "2"]);
  show.must(hello.stdout.trim() === HELLO, `the new version lets port ${REFUSED_PORT} through: ${JSON.stringify(hello.stdout.trim())}`);
  show.figure("live swap: pause of the packet path", duration(swap.pause_ns), `an ordinary burst of packets takes ${duration(swap.burst_ns)}`);
}

const mib = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(0)} MiB`;
