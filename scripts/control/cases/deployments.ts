/**
 * What a controller costs with nothing, one deployment and many: CPU and memory at rest, scrapes, and how long it takes, killed and started again, until it
 * knows that its host has what it should. On the way: many deployments ordered at once, until all of their runtimes run.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type ControlLab, end } from "../control_lab.ts";
import type { Samples } from "../samples.ts";
import { type StampingNf, buildStampingNf } from "../stamping_nf.ts";
import { cpuShare, proportionalMib, residentMib } from "../usage.ts";
import type { Effort } from "./index.ts";
import { RUNTIMES, deploymentOf } from "./serving.ts";

const READY_MS = 120_000;
const SCRAPES = 25;
const MEMORY_MB = 96;
const FLOWS_MAX = 1024;
/** Runtimes of the tenant. */
const QUOTA = 1000;

/** What is there while it is measured. */
interface Stage {
  readonly words: string;
  readonly deployments: number;
  /** Of each. */
  readonly runtimes: number;
}

const NOTHING: Stage = { words: "no deployment", deployments: 0, runtimes: 0 };
const ONE: Stage = { words: `1 deployment of ${RUNTIMES} runtimes`, deployments: 1, runtimes: RUNTIMES };

export async function measureDeployments(lab: ControlLab, samples: Samples, effort: Effort): Promise<void> {
  const most = Math.max(0, ...effort.many.map(({ deployments }) => deployments));
  await lab.start();
  await lab.user.ask("quota", QUOTA);
  const nf = await buildStampingNf(lab.network.folder, 1);
  await lab.user.ask("push", nf);
  await at(lab, samples, effort, NOTHING, effort.runs);

  const one = await lab.user.ask("deploy", "web", deploymentOf(lab, nf));
  samples.add(`deploy, ${ONE.words}`, "running", "ms", one.endedMs - one.beganMs);
  await at(lab, samples, effort, ONE, effort.runs);
  await lab.user.ask("undeploy", "web");

  for (const side of ["c", "s"]) if (most > 0) await lab.addInterfaces(side, most);
  for (const { deployments, each, isRestarted } of effort.many) {
    const stage = { words: `${deployments} deployments of ${each} runtimes`, deployments, runtimes: each };
    const ordered = Object.fromEntries(Array.from({ length: deployments }, (_, i) => [`many${i}`, smallOne(lab, nf, i, each)]));
    const many = await lab.user.ask("deployAll", ordered);
    samples.add(`deploy, ${stage.words} at once`, "running", "ms", many.endedMs - many.beganMs, { case: `deploy, ${ONE.words}` });
    await at(lab, samples, effort, stage, isRestarted ? effort.few : 0);
    if (isRestarted) await apart(lab, samples, effort, stage);
    await lab.user.ask("undeployAll", Object.keys(ordered));
  }
}

function smallOne(lab: ControlLab, nf: StampingNf, i: number, runtimes: number): object {
  return deploymentOf(lab, nf, {
    ports: { client: { iface: `c${i}` }, server: { iface: `s${i}` } },
    scaling: { min: runtimes, max: runtimes },
    memory_mb: MEMORY_MB,
    flows: { max: FLOWS_MAX },
  });
}

async function at(lab: ControlLab, samples: Samples, effort: Effort, stage: Stage, restarts: number): Promise<void> {
  await lab.user.ask("untilRunning", stage, READY_MS);
  await pause(effort.settleMs);
  const { value: all } = await lab.user.ask("deployments");
  await atRest(samples, effort, `at rest, ${stage.words}`, { "nfactor up": lab.pid }, dataplaneOf(all));
  await scrapes(lab, samples, stage);
  for (let i = 0; i < restarts; i++) await restart(lab, samples, stage);
}

interface Dataplane {
  readonly supervisors: readonly number[];
  /** Virtual switches and runtimes. */
  readonly members: readonly number[];
}

type Seen = readonly {
  readonly seen?: { readonly pid?: number | undefined } | undefined;
  readonly runtimes?: { readonly runtimes: readonly { readonly pid?: number | undefined }[] } | undefined;
}[];

export function dataplaneOf(deployments: Seen): Dataplane {
  return {
    supervisors: deployments.flatMap(({ seen }) => seen?.pid ?? []),
    members: deployments.flatMap(({ runtimes }) => runtimes?.runtimes.flatMap(({ pid }) => pid ?? []) ?? []),
  };
}

async function atRest(samples: Samples, { restMs, restSlices }: Effort, inCase: string, own: Record<string, number>, { supervisors, members }: Dataplane) {
  const baseline = { case: `at rest, ${NOTHING.words}` };
  const groups = { ...Object.fromEntries(Object.entries(own).map(([name, pid]) => [name, [pid]])), supervisors, dataplane: members };
  for (let slice = 0; slice < restSlices; slice++) {
    const share = await cpuShare(groups, restMs);
    for (const name of Object.keys(own)) samples.add(inCase, `cpu of ${name}`, "% of a core", share[name]!, baseline);
    if (supervisors.length > 0) samples.add(inCase, "cpu of supervisors", "% of a core", share["supervisors"]!);
    if (members.length > 0) samples.add(inCase, "cpu of dataplane", "% of a core", share["dataplane"]!);
  }
  for (const [name, pid] of Object.entries(own)) samples.add(inCase, `rss of ${name}`, "MiB", residentMib(pid), baseline);
  const sum = (pids: readonly number[]): number => pids.reduce((total, pid) => total + proportionalMib(pid), 0);
  if (supervisors.length > 0) samples.add(inCase, "pss of supervisors", "MiB", sum(supervisors));
  if (members.length > 0) samples.add(inCase, "pss of dataplane", "MiB", sum(members));
}

async function scrapes(lab: ControlLab, samples: Samples, { words }: Stage): Promise<void> {
  const inCase = `scrape, ${words}`;
  // In turns, and not the first ones, which meet cold code.
  for (const path of ["/metrics", "/v1/health"]) await lab.user.ask("get", path, 3);
  for (let i = 0; i < SCRAPES; i++) {
    const [scrape] = (await lab.user.ask("get", "/metrics", 1)).value;
    const [empty] = (await lab.user.ask("get", "/v1/health", 1)).value;
    samples.add(inCase, "answer", "ms", scrape!.ms, { metric: "health" });
    samples.add(inCase, "health", "ms", empty!.ms);
    if (i === SCRAPES - 1) samples.add(inCase, "size", "bytes", scrape!.bytes, { case: `scrape, ${NOTHING.words}` });
  }
}

async function restart(lab: ControlLab, samples: Samples, stage: Stage): Promise<void> {
  const inCase = `kill -9 and start, ${stage.words}`;
  await lab.kill();
  const { atMs } = lab.up();
  const { value } = await lab.user.ask("untilRunning", { ...stage, runtimes: 0 }, READY_MS);
  const baseline = stage === NOTHING ? undefined : { case: `kill -9 and start, ${NOTHING.words}` };
  samples.add(inCase, "api_answers", "ms", value.answeredMs - atMs, baseline);
  samples.add(inCase, "reconciled", "ms", value.runningMs - atMs, baseline);
}

/** Controller and host daemon as processes of their own, as with several machines. */
async function apart(lab: ControlLab, samples: Samples, effort: Effort, stage: Stage): Promise<void> {
  await lab.kill();
  const controller = lab.up("--no-host");
  const host = lab.host();
  await lab.user.ask("untilRunning", stage, READY_MS);
  await pause(effort.settleMs);
  const nobody = { supervisors: [], members: [] };
  await atRest(samples, effort, `at rest in two processes, ${stage.words}`, { controller: controller.pid, "host daemon": host.pid }, nobody);
  await end(host.child, "SIGKILL");
  await lab.kill();
  lab.up();
  await lab.user.ask("untilRunning", stage, READY_MS);
}
