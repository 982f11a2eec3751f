/** More traffic than two runtimes are to have: what the controller makes of it by itself, and of its end. */
import { setTimeout as pause } from "node:timers/promises";
import type { EventJson } from "../../controller/src/cli/api.ts";
import type { Explanation } from "../../controller/src/scaling/decision.ts";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import type { ControlClient } from "../../host/src/rpc/client.ts";
import type { NumberedFlows } from "../lib/numbered_flows.ts";
import { THRESHOLDS } from "./authoring.ts";
import type { Show } from "./show.ts";
import { DEPLOYMENT, type Stage, hostJson, secondsSince } from "./stage.ts";

export const FLOWS = 120;
export const CALM_MS = 500;
/** The first one that is too much for two runtimes here is the step. */
const PACES_MS = [20, 16, 12, 9, 7];
/** Of the load above which a deployment grows. */
const TOO_MUCH = 1.1;
const STEP_MS = 3500;
const LOOK_MS = 200;
/** Processes tell what they do three times a second, and share two cores with the traffic: a load is that of a longer time. */
const WINDOW_US = 3_000_000;
const WITHIN_MS = 45_000;

interface Look {
  readonly atUs: number;
  readonly at: number;
  readonly runtimes: readonly RuntimeJson[];
}

/** Loads of the runtimes, from what they report. */
class LoadWatch {
  readonly #client: ControlClient;
  readonly #looks: Look[] = [];

  constructor(client: ControlClient) {
    this.#client = client;
  }

  async look(): Promise<void> {
    const { at_us, runtimes } = await this.#client.call("runtimes", {});
    this.#looks.push({ atUs: at_us, at: performance.now(), runtimes: runtimes.filter(({ runtime }) => runtime > 0) });
  }

  get last(): readonly RuntimeJson[] {
    return this.#looks.at(-1)?.runtimes ?? [];
  }

  /** Of the last window; undefined as long as somebody was not there at its beginning. */
  get loads(): number[] | undefined {
    const now = this.#looks.at(-1)!;
    const before = this.#looks.findLast(({ atUs }) => now.atUs - atUs >= WINDOW_US);
    if (!before) return undefined;
    const loads = now.runtimes.map((one) => {
      const then = before.runtimes.find(({ runtime, pid }) => runtime === one.runtime && pid === one.pid);
      return then ? (one.busy_us - then.busy_us) / (now.atUs - before.atUs) : Number.NaN;
    });
    return loads.some(Number.isNaN) ? undefined : loads;
  }

  /** When the window began. */
  get windowFrom(): number {
    const now = this.#looks.at(-1)!;
    return this.#looks.findLast(({ atUs }) => now.atUs - atUs >= WINDOW_US)!.at;
  }

  async until(isSo: () => boolean, withinMs = WITHIN_MS): Promise<boolean> {
    for (const end = performance.now() + withinMs; performance.now() < end; await pause(LOOK_MS)) {
      await this.look();
      if (isSo()) return true;
    }
    return false;
  }
}

const percent = (loads: readonly number[]): string => loads.map((load) => `${(100 * load).toFixed(0)} %`).join(", ");
const isServing = (all: readonly RuntimeJson[]): boolean => all.every(({ state, under_way }) => state === "running" && under_way === 0);

const rate = (paceMs: number): string => Math.round((FLOWS * 1000) / paceMs).toLocaleString("en-US");

/** Resolves when there is too much load, or something was done about it, with when it began. */
async function stepUp(watch: LoadWatch, traffic: NumberedFlows, show: Show): Promise<number> {
  let begin = performance.now();
  const before = watch.last.length;
  const isTooMuch = (): boolean => {
    const { loads = [] } = watch;
    return watch.last.length > before || loads.reduce((a, b) => a + b, 0) > TOO_MUCH * THRESHOLDS.load_high * loads.length;
  };
  for (const paceMs of PACES_MS) {
    show.say(`${FLOWS} flows of numbered datagrams, ${rate(CALM_MS)} a second so far, there and back: from now on ${rate(paceMs)}`);
    begin = performance.now();
    traffic.setPace(paceMs);
    if (await watch.until(isTooMuch, STEP_MS)) break;
  }
  return begin;
}

export async function loadStep(stage: Stage, traffic: NumberedFlows): Promise<void> {
  const { cluster, show } = stage;
  show.title("A load step: the controller starts runtimes and moves flows, by itself");
  const client = await cluster.supervisorOf(DEPLOYMENT);
  try {
    const watch = new LoadWatch(client);
    await watch.look();
    const before = watch.last.length;
    const beganAt = Date.now();
    const begin = await stepUp(watch, traffic, show);
    let worst: number[] = [];
    let calmFrom: number | undefined;
    const isBalanced = await watch.until(() => {
      const { loads } = watch;
      if (loads?.length === before && Math.max(...loads) > Math.max(0, ...worst)) worst = loads;
      const isCalm = loads !== undefined && loads.length > before && isServing(watch.last) && Math.max(...loads) < THRESHOLDS.load_high;
      calmFrom = isCalm ? (calmFrom ?? watch.windowFrom) : undefined;
      return isCalm;
    });
    const seconds = ((calmFrom ?? performance.now()) - begin) / 1000;
    // It may act before a whole window has passed.
    if (worst.length > 0) show.say(`loads before it acted: ${percent(worst)}; this one grows above ${percent([THRESHOLDS.load_high])}`);
    show.must(isBalanced, `${before} → ${watch.last.length} runtimes, and none has too much after ${seconds.toFixed(1)} s: ${percent(watch.loads ?? [])}`);
    await showDecisions(stage, beganAt);
    show.figure("load step: until no runtime has too much", `${seconds.toFixed(1)} s`, `${before} → ${watch.last.length} runtimes`);
  } finally {
    client.close();
  }
}

/** What scaling did since then, and why, without where replicas lie: each line has figures and what was not done instead, which are left out here. */
async function showDecisions(stage: Stage, since: number): Promise<void> {
  const { events } = await hostJson<{ events: EventJson[] }>(stage, "events web");
  const lines = events.flatMap(({ at, text, details }) => {
    const { rule, done = [] } = (details ?? {}) as Partial<Explanation>;
    if (at < since || rule === undefined || rule === "replicas" || (done.length === 0 && !text.includes("are wanted"))) return [];
    return [
      `${new Date(at).toISOString().slice(11, 19)}  ${text
        .replace(/^\S+web:? /, "")
        .replace(/; not .*/, "")
        .replace(/ \[.*/, "")}`,
    ];
  });
  stage.show.excerpt(lines.join("\n"), 10);
}

export async function scaleIn(stage: Stage, traffic: NumberedFlows): Promise<void> {
  const { cluster, show } = stage;
  show.title("The load goes, and so do the runtimes: drained first, so that no flow notices");
  const client = await cluster.supervisorOf(DEPLOYMENT);
  try {
    const watch = new LoadWatch(client);
    traffic.setPace(CALM_MS);
    const [begin, beganAt] = [performance.now(), Date.now()];
    const isSmall = await watch.until(() => watch.last.length === 2 && isServing(watch.last));
    show.must(isSmall, `${watch.last.length} runtimes again, ${secondsSince(begin).toFixed(1)} s after the load was gone`);
    await showDecisions(stage, beganAt);
    const { sent, lost, reordered, repeated } = await traffic.end();
    show.must(
      lost + reordered + repeated === 0,
      `of ${sent.toLocaleString("en-US")} numbered datagrams since before the swap ${lost} were lost, ${reordered} came late, ${repeated} twice`,
    );
    show.figure("packets lost to swap, load step, moves and scale-in", String(lost), `of ${(2 * sent).toLocaleString("en-US")}, there and back`);
  } finally {
    client.close();
  }
}
