/**
 * What a deployment carries while its controller is idle, busy with other deployments, dead, and killed and started again and again: in turns, several times,
 * over the same connections. The deployment and the ends of its wire have one CPU to themselves, which they use up; controller, its user, supervisors and other
 * deployments have the other one. What is left that could slow packets down is what the controller asks of the deployment itself: once a second its load.
 */
import { setTimeout as pause } from "node:timers/promises";
import { tcpCounters } from "../../lib/tcp_counters.ts";
import { type ControlLab, pin } from "../control_lab.ts";
import type { Samples } from "../samples.ts";
import { buildStampingNf } from "../stamping_nf.ts";
import { TcpStream } from "../tcp_stream.ts";
import { clockMs } from "../worker.ts";
import { dataplaneOf } from "./deployments.ts";
import type { Effort } from "./index.ts";
import { RUNTIMES, deploymentOf } from "./serving.ts";

const NAME = "web";
const OTHER = "other";
const CONNECTIONS = 4;
const WINDOW_BYTES = 1 << 18;
const [CONTROL_CPU, PACKET_CPU] = [0, 1];
const READY_MS = 30_000;
const SETTLE_MS = 300;
const WARM_UP_MS = 1_000;
/** From a start to the next kill, in turns: in the middle of its start, and when it has begun to ask its host. */
const LIVES_MS = [500, 1500];

const caseOf = (condition: string): string => `throughput, controller ${condition}`;
const IDLE = { case: caseOf("idle") };

export async function measureThroughput(lab: ControlLab, samples: Samples, { rounds, sliceMs }: Effort): Promise<void> {
  lab.network.limitWindow(WINDOW_BYTES);
  await lab.start();
  pin([lab.pid, lab.user.pid], CONTROL_CPU);
  await lab.addInterfaces("o", 2);
  const nf = await buildStampingNf(lab.network.folder, 1);
  await lab.user.ask("push", nf);
  await lab.user.ask("deploy", NAME, deploymentOf(lab, nf, { flows: { max: 1024 } }));
  const busyWith = { nf, name: OTHER, input: deploymentOf(lab, nf, { ports: { client: { iface: "o0" }, server: { iface: "o1" } }, memory_mb: 96 }) };
  await lab.user.ask("untilRunning", { deployments: 1, runtimes: RUNTIMES }, READY_MS);
  const { members } = dataplaneOf([(await lab.user.ask("deployment", NAME)).value]);
  const stream = await TcpStream.start(lab.network, CONNECTIONS);
  pin([...members, ...stream.pids], PACKET_CPU);
  await pause(WARM_UP_MS);

  const slice = async (condition: string, meanwhile: () => Promise<unknown> = () => pause(sliceMs)): Promise<void> => {
    const [before, sentAgain] = [await stream.arrived(), await tcpCounters(lab.network, "server")];
    await meanwhile();
    const [after, again] = [await stream.arrived(), await tcpCounters(lab.network, "server")];
    if (after.open < CONNECTIONS) throw new Error(`connections broke while the controller was ${condition}`);
    const mbits = ((after.bytes - before.bytes) * 8) / 1000 / (after.atMs - before.atMs);
    samples.add(caseOf(condition), "throughput", "Mbit/s", mbits, condition === "idle" ? undefined : IDLE);
    samples.add(caseOf(condition), "sent_again", "segments", again.retransmitted - sentAgain.retransmitted, condition === "idle" ? undefined : IDLE);
  };
  for (let round = 0; round < rounds; round++) {
    await slice("idle");
    const { endedMs: busyMs } = await lab.user.ask("beginBusy", busyWith);
    await pause(SETTLE_MS);
    await slice("busy");
    const { value: counts, endedMs: calmMs } = await lab.user.ask("endBusy");
    await pause(SETTLE_MS);
    await slice("idle again");
    for (const [what, count] of Object.entries(counts)) samples.add(caseOf("busy"), what, "a second", (count * 1000) / (calmMs - busyMs));
    await lab.kill();
    await pause(SETTLE_MS);
    await slice("dead");
    await slice("restarting", () => restarting(lab, sliceMs));
    await lab.user.ask("untilRunning", { deployments: 1, runtimes: RUNTIMES }, READY_MS);
    await pause(SETTLE_MS);
  }
  stream.end();
}

/** Started and killed in turns for so long at least; it lives in the end. */
async function restarting(lab: ControlLab, forMs: number): Promise<void> {
  for (const endMs = clockMs() + forMs; clockMs() < endMs;) {
    for (const livesMs of LIVES_MS) {
      await lab.kill();
      lab.up();
      pin([lab.pid], CONTROL_CPU);
      await pause(livesMs);
    }
  }
}
