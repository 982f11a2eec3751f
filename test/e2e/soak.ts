/**
 * Minutes of random failures under a thousand connections and numbered packets, each after the last one has been made good: no connection breaks, no state is
 * lost, nothing comes twice or out of order, and the books balance. By hand, as root:
 *   node --import ./sdk/register.mjs test/e2e/soak.ts [--seconds 240] [--connections 500] [--runtimes 3] [--seed <n>] [--spare-vswitch]
 * With `--pairs 50` so often two at once are killed, of the supervisor, the vswitch and the runtimes. States are lost then, so there are no connections; all the
 * rest holds, no process is left behind, and whoever stays has no more descriptors than at first.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "@nfactor/sdk/test";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import { isWhole, sum } from "./testing/members.ts";
import { Streams } from "./testing/streams.ts";
import { SurvivalLab, assertKept, booksOf } from "./testing/survival_lab.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "240" },
    connections: { type: "string", default: "500" },
    runtimes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "spare-vswitch": { type: "boolean", default: false },
    pairs: { type: "string", default: "0" },
  },
});
const [seconds, connections, runtimes, seed] = [values.seconds, values.connections, values.runtimes, values.seed].map(Number) as [
  number,
  number,
  number,
  number,
];
/** One that does nothing for 3 s is killed by the supervisor. */
const STOPPED_MS_MAX = 2500;

const random = new Random(seed);
const lab = new SurvivalLab();
const begun = performance.now();
const say = (text: string): void => console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(7)} s  ${text}`);

/** A random member is killed, or stopped for a while; resolves when all that came of it is over. */
async function failOnce(): Promise<void> {
  const member = values["spare-vswitch"] ? 1 + random.below(runtimes) : random.below(runtimes + 1);
  const who = member === 0 ? "the vswitch" : `runtime ${member}`;
  const before = (await lab.members.of(member)).pid!;
  const stoppedMs = random.below(2) === 0 ? 0 : 1 + random.below(STOPPED_MS_MAX);
  process.kill(before, stoppedMs === 0 ? "SIGKILL" : "SIGSTOP");
  if (stoppedMs > 0) {
    await pause(stoppedMs);
    try {
      process.kill(before, "SIGCONT");
    } catch {
      // It was fenced, and killed for that.
    }
  }
  await pause(random.below(300));
  const all = await lab.members.protected();
  const now = all[member]!.pid;
  say(`${who} ${stoppedMs === 0 ? "killed" : `stopped for ${stoppedMs} ms, ${now === before ? "and goes on" : "and replaced"}`}`);
  for (const { runtime, state_lost } of all) assert.equal(state_lost, 0, `states lost, says member ${runtime}`);
}

const SUPERVISOR = -1;

/** Two at once are killed; resolves when all are there again. */
async function killTwo(): Promise<void> {
  const one = random.below(runtimes + 2) - 1;
  const other = ((one + 2 + random.below(runtimes + 1)) % (runtimes + 2)) - 1;
  const before = await lab.members.all();
  const kill = (member: number): void => void process.kill(before[member]!.pid!, "SIGKILL");
  const members = [one, other].filter((member) => member !== SUPERVISOR);
  if (members.length === 2) members.forEach(kill);
  else
    await lab.replaceSupervisor(async () => {
      members.forEach(kill);
      await pause(random.below(300));
    });
  const isOver = (all: readonly RuntimeJson[]): boolean => isWhole(all) && members.every((member) => all[member]!.pid !== before[member]!.pid);
  await lab.members.until("all are there again", isOver);
  await pause(random.below(500));
  const names = [one, other].map((member) => (member === SUPERVISOR ? "the supervisor" : member === 0 ? "the vswitch" : `runtime ${member}`));
  say(`${names.join(" and ")} killed; the supervisor has ${descriptorsOf(lab.host.pid)} descriptors`);
}

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Processes that name the lab's folder. */
function leftOver(): string[] {
  const words = (pid: string): string => {
    const path = `/proc/${pid}/cmdline`;
    try {
      return existsSync(path) ? readFileSync(path, "utf8").replaceAll("\0", " ") : "";
    } catch {
      return "";
    }
  };
  return readdirSync("/proc").flatMap((pid) => (/^\d+$/.test(pid) && words(pid).includes(lab.wire.lab.folder) ? [`${pid}: ${words(pid)}`] : []));
}

async function killPairs(pairs: number): Promise<void> {
  console.log(`seed ${seed}: ${runtimes} runtimes, ${pairs} times two are killed`);
  await lab.start({ name: "soak", runtimes, observers: ["flow_monitor"], unprotected: "available", memory: 96 });
  const traffic = await NumberedFlows.start(lab.wire.lab, { flows: 60, everyMs: 20 });
  await lab.members.protected();
  for (let i = 0; i < pairs; i++) await killTwo();
  const all = await lab.members.protected();
  const descriptors = all.map(({ pid }) => descriptorsOf(pid!));
  const { sent, lost, reordered, repeated, silenceMs } = await traffic.end();
  const result = await lab.stop({ takes: false });
  say(`of ${sent} numbered packets ${lost} were not answered, longest silence ${silenceMs} ms; descriptors at the end ${descriptors.join(", ")}`);
  say(booksOf(result));
  assert.deepEqual({ reordered, repeated }, { reordered: 0, repeated: 0 });
  assert.deepEqual(leftOver(), [], "processes are left");
}

try {
  if (Number(values.pairs) > 0) await killPairs(Number(values.pairs));
  else await failSingly();
} catch (error) {
  console.log(`seed ${seed} has failed; the host has said:\n${lab.host?.messages}`);
  throw error;
} finally {
  lab.close();
}

async function failSingly(): Promise<void> {
  console.log(`seed ${seed}: ${connections} connections, ${runtimes} runtimes, ${seconds} s`);
  await lab.start({ name: "soak", runtimes, observers: ["flow_monitor", "http_parser"] });
  const streams = await Streams.open(lab.wire, { connections, seed, everyMs: 200 });
  const traffic = await NumberedFlows.start(lab.wire.lab, { flows: 40, everyMs: 50 });
  await lab.members.protected();
  streams.mark();
  let failures = 0;
  for (; performance.now() - begun < 1000 * seconds; failures++) await failOnce();
  const { median, max } = await streams.silence();
  await assertKept(lab, await streams.end());
  const { sent, lost, reordered, repeated, silenceMs } = await traffic.end();
  const result = await lab.stop({ takes: values["spare-vswitch"] });
  say(`${failures} failures; of ${sent} numbered packets ${lost} were not answered, longest silence ${silenceMs} ms`);
  say(`all ${connections} connections are right; longest silence of one ${median} ms (median), ${max} ms (longest)`);
  say(booksOf(result));
  assert.deepEqual({ reordered, repeated }, { reordered: 0, repeated: 0 });
  const { dropped, missed = 0, lost_in_failure = 0 } = result.packets;
  assert.ok(lost <= sum(dropped) + missed + lost_in_failure || !values["spare-vswitch"], "more is missing than the books say");
}
