/** The second half of the demo: a runtime dies in the middle of a download, then the controller, and then everything ends in order. */
import { setTimeout as pause } from "node:timers/promises";
import { type RunResult, runResultSchema } from "../../host/src/result/run_result.ts";
import { booksText, droppedIn } from "../../host/src/result/books_text.ts";
import { HeldDownload } from "../lib/held_download.ts";
import { NumberedFlows } from "../lib/numbered_flows.ts";
import { killRuntimeOf } from "./killed_runtime.ts";
import { DEPLOYMENT, type Stage, curl, host, secondsSince } from "./stage.ts";

const BYTES_PER_SECOND = 10e6;
const FEW_FLOWS = { flows: 20, everyMs: 50 };
/** So long the controller is away. */
const AWAY_MS = 1500;

const count = (n: number): string => n.toLocaleString("en-US");

export async function killRuntime(stage: Stage): Promise<void> {
  const { lab, cluster, show, file } = stage;
  show.title("kill -9 of the runtime that carries a download: a replica goes on with its flows");
  await host(stage, "scale web 3..4");
  show.say("Three, so that the flows of the others still have somebody for their replicas while one is dead.");
  const client = await cluster.supervisorOf(DEPLOYMENT);
  try {
    show.command("client", `curl ${file.url} | sha256sum &`);
    const download = new HeldDownload(lab, file.url, { holdAt: file.bytes - (1 << 20), bytesPerSecond: BYTES_PER_SECOND });
    await download.begun();
    const { runtime, pid, heir, silenceMs, wholeAgainMs } = await killRuntimeOf(client, ["tcp", ":80"], download);
    show.command("host", `kill -9 ${pid}      # runtime ${runtime}, by 'nfactor runtimes web'`);
    show.must(heir !== runtime && download.runs, `runtime ${heir} goes on with the download; its packets stopped for ${silenceMs.toFixed(0)} ms`);
    show.must(wholeAgainMs < Infinity, `repaired after ${wholeAgainMs.toFixed(0)} ms: runtime ${runtime} is back, and every flow has a replica again`);
    const { code, sha256, bytes } = await download.finish();
    show.must(code === 0 && sha256 === file.sha256, `${count(bytes)} bytes arrived, sha256 right`);
    show.figure("kill -9 of a runtime: silence in the download", `${silenceMs.toFixed(0)} ms`, "the longest time without a packet for the client");
    show.figure("  until repaired, replicas included", `${wholeAgainMs.toFixed(0)} ms`);
  } finally {
    client.close();
  }
}

export async function killController(stage: Stage): Promise<void> {
  const { lab, cluster, show } = stage;
  show.title("kill -9 of the controller: packets do not need it");
  const traffic = await NumberedFlows.start(lab, FEW_FLOWS);
  show.command("host", "kill -9 %1      # nfactor up: controller and host daemon");
  await cluster.kill();
  const { code } = await cluster.nfactor("status", "--timeout", "2");
  show.must(code === 4, "'nfactor status' finds nobody");
  const hello = await curl(stage, `http://${lab.serverAddress}/hello`);
  show.must(hello.code === 0, `${JSON.stringify(hello.stdout.trim())}: a new connection, meanwhile`);
  await pause(AWAY_MS);
  show.command("host", "nfactor up --state ./state &");
  const begin = performance.now();
  await cluster.up();
  const seconds = secondsSince(begin);
  const { state } = await cluster.json<{ state: string }>("status", "web");
  show.must(state === "running", `back after ${seconds.toFixed(1)} s, with everything that it knew; web is ${state}`);
  const { sent, lost, silenceMs } = await traffic.end();
  show.must(
    lost === 0,
    `${lost} of ${count(2 * sent)} datagrams lost; no flow was without an answer for more than ${silenceMs} ms (one comes every ${FEW_FLOWS.everyMs})`,
  );
  show.figure("kill -9 of the controller: until it is back", `${seconds.toFixed(1)} s`, `from 'nfactor up' until 'nfactor status' says that all is well`);
  show.figure("  packets lost meanwhile", String(lost), `of ${count(2 * sent)}`);
}

export async function undeploy(stage: Stage): Promise<void> {
  const { cluster, show } = stage;
  show.title("The end, and the books");
  show.excerpt(await host(stage, "undeploy web --yes"), 2);
  const packets = packetsToldBy(cluster.said);
  show.must(packets !== undefined, "the host says what became of all packets");
  if (!packets) return;
  const { received, emitted = 0, sent, held, lost_in_failure = 0, dropped } = packets;
  const reasons = Object.entries(dropped).map(([reason, n]) => `${reason} ${count(n)}`);
  show.say(`${booksText(packets)}${reasons.length > 0 ? ` (dropped: ${reasons.join(", ")})` : ""}`);
  const rest = received + emitted - sent - held - droppedIn(packets) - lost_in_failure;
  show.must(rest === 0, "received = sent + dropped + held + lost in processes that died: no packet is unaccounted for");
  show.figure(
    "books: packets received by the chain",
    count(received),
    `${count(sent)} sent, ${count(droppedIn(packets))} dropped: ${reasons.join(", ") || "none"}`,
  );
  show.figure("  held; under way in the process that was killed", `${count(held)}; ${count(lost_in_failure)}`);
  show.figure("  not accounted for", count(rest));
}

/** Of the last event of 'nfactor up' that has them. */
function packetsToldBy(said: string): RunResult["packets"] | undefined {
  for (const line of said.split("\n").reverse()) {
    if (!line.includes('"packets"')) continue;
    try {
      const read = runResultSchema.shape.packets.safeParse((JSON.parse(line) as { packets?: unknown }).packets);
      if (read.success) return read.data;
    } catch {
      // Its beginning was cut off.
    }
  }
  return undefined;
}
