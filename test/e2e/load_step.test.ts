/**
 * A load step that is too much for one runtime, under `nfactor up`: a runtime more and moved flows, without a packet lost; when the step is over, one less, and
 * the one that goes is empty. What makes the load is a chain that works for each packet, so that few packets are enough. Needs root, as CI has.
 *
 * NF_LOAD_STEP=standard: with the standard times of the policy, which takes some minutes. Thresholds are low in any case: a small machine has to have room for
 * all runtimes, the wire and its ends.
 */
import { existsSync } from "node:fs";
import { LIMITS } from "@nfactor/sdk/abi";
import { expect, test } from "vitest";
import type { Explanation } from "../../controller/src/scaling/index.ts";
import type { TopDeployment } from "../../controller/src/cli/views/top_text.ts";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import type { Followed } from "../../scripts/lib/cluster_lab.ts";
import { WORK, writeWorkNf } from "../../scripts/lib/work_nf.ts";
import { clusterForEach, describeAsRoot } from "./testing/labs.ts";

const IS_STANDARD = process.env.NF_LOAD_STEP === "standard";
const WITHIN_MS = IS_STANDARD ? 400_000 : 60_000;
const FLOWS = 60;
const CALM_MS = 300;
/** In runtimes: two would have too much. Spread over several, which share cores with all the rest, it is more. */
const STEP_LOAD = 0.66;
/** A packet now and then costs so much more than one of many. */
const COLD = 1.6;
const THRESHOLDS = { load_high: 0.31, load_target: 0.26, load_low: 0.14 };
const TIMES = { smooth_ms: 200, grow_after_ms: 500, grow_again_ms: 2000, move_again_ms: 500, shrink_after_ms: 500, shrink_again_ms: 500 };
/** So many samples in a row without a change are rest. */
const QUIET = IS_STANDARD ? 10 : 2;

/** Some microseconds for each packet: a call with a full burst stays below its budget, also on a slower machine. */
const ROUNDS = 6_000;
const CHAIN = Array.from({ length: LIMITS.chain_nfs_max }, (_, i) => ({ name: `${WORK}_${i}`, nf: WORK, config: { rounds: ROUNDS } }));

interface Event {
  readonly kind: string;
  readonly text: string;
  readonly details?: Explanation;
}
interface Sample {
  readonly at: number;
  readonly deployments: readonly TopDeployment[];
}

describeAsRoot("a deployment", () => {
  const at = clusterForEach();
  let top: Followed<Sample>;
  let events: Followed<Event>;

  const runtimesOf = (sample: Sample) => (sample.deployments[0]?.runtimes ?? []).filter(({ runtime }) => runtime > 0);
  const loadOf = (sample: Sample): number => runtimesOf(sample).reduce((sum, { load }) => sum + load, 0);
  const said = (): Explanation[] => events.seen.flatMap(({ kind, details }) => (kind === "scaling" && details ? [details] : []));
  const decided = (): Explanation[] => said().filter(({ done }) => done.length > 0);
  const shown = (): string => [...top.seen.map((one) => runtimesOf(one).map(runtimeText).join(" | ")), ...events.seen.map(({ text }) => text)].join("\n");

  /** So many runtimes, none of which has too much, and nothing is decided any more. */
  async function rest(what: string, isSize: (count: number) => boolean): Promise<void> {
    const decisionsAt: number[] = [];
    const isCalm = (sample: Sample): boolean =>
      isSize(runtimesOf(sample).length) && runtimesOf(sample).every(({ state, load }) => state === "running" && load < THRESHOLDS.load_high);
    const isAtRest = (seen: readonly Sample[]): boolean => {
      decisionsAt[seen.length] = decided().length;
      const last = seen.slice(-QUIET);
      return last.length === QUIET && last.every(isCalm) && decisionsAt[seen.length - QUIET] === decided().length;
    };
    await top.until(`${what} at rest`, isAtRest, WITHIN_MS).catch((error: unknown) => {
      throw new Error(shown(), { cause: error });
    });
  }

  /** Every second flow, all of one runtime, gets so fast that two runtimes would have too much to do. How fast that is depends on the machine, also later. */
  function step(traffic: NumberedFlows): () => void {
    const calm = loadOf(top.seen.at(-1)!) / 2;
    let paceMs = (calm * CALM_MS) / COLD / STEP_LOAD;
    traffic.setPaces(paceMs, CALM_MS);
    let samples = 0;
    return top.each((sample) => {
      // A sample is of the time before, and so is the one after it in part.
      if ((samples += 1) % 3 !== 0) return;
      const load = loadOf(sample);
      if (Math.abs(load - STEP_LOAD) < STEP_LOAD / 10) return;
      paceMs *= load / STEP_LOAD;
      traffic.setPaces(paceMs, CALM_MS);
    });
  }

  test(
    "takes a load step that is too much for one runtime by itself, and gives back what it took, without a packet lost",
    async () => {
      const { lab, cluster } = at;
      await cluster.up();
      await cluster.json("push", writeWorkNf(lab.folder));
      const scaling = { min: 2, max: 4, ...THRESHOLDS, ...(IS_STANDARD ? {} : TIMES) };
      await cluster.deploy("web", { placement: "round_robin", scaling, chain: CHAIN });
      lab.silence();
      const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: CALM_MS });
      traffic.setPaces(CALM_MS, CALM_MS);
      top = cluster.follow("top", "web");
      events = cluster.follow("events", "default/web", "--follow");
      await top.until("two runtimes", (seen) => seen.filter((one) => runtimesOf(one).length === 2).length >= 2);

      const begunMs = performance.now();
      const stopSteering = step(traffic);
      await rest("more runtimes", (count) => count > 2);
      stopSteering();
      const balancedMs = performance.now() - begunMs;
      const isAlone = (sample: Sample): boolean => runtimesOf(sample).filter(({ load }) => load >= THRESHOLDS.load_high).length === 1;
      expect(
        top.seen.some((sample) => runtimesOf(sample).length === 2 && isAlone(sample)),
        shown(),
      ).toBe(true);
      const rules = decided().map(({ rule }) => rule);
      expect(rules).toEqual(expect.arrayContaining(["reach_size", "hot_runtime"]));
      const why = said().find(({ rule, seen }) => rule === "load_out" && Number(seen["mean"]) > THRESHOLDS.load_high);
      expect(why, shown()).toMatchObject({ group: "default/web", seen: { runtimes: 2 } });

      const loaded = runtimesOf(top.seen.at(-1)!);
      expect(flowsOf(loaded)).toBe(FLOWS);
      expect(sumOf(loaded, "moved_in")).toBe(sumOf(loaded, "moved_out"));
      traffic.setPaces(CALM_MS, CALM_MS);
      await rest("two runtimes", (count) => count === 2);
      const left = runtimesOf(top.seen.at(-1)!);
      const isLeft = ({ runtime }: RuntimeJson): boolean => left.some((one) => one.runtime === runtime);
      const gone = loaded.filter((one) => !isLeft(one));
      const empty = decided().filter(({ rule }) => rule === "empty");
      expect(
        empty.map(({ seen }) => seen["flows"]),
        shown(),
      ).toEqual(gone.map(() => 0));
      // What they had is where it was to go, and their processes have ended.
      expect(flowsOf(left)).toBe(FLOWS);
      const came = (runtimes: Runtimes): number => sumOf(runtimes, "moved_in") - sumOf(runtimes, "moved_out");
      expect(came(left) - came(loaded.filter(isLeft)), shown()).toBe(flowsOf(gone));
      expect(gone.filter(({ pid }) => existsSync(`/proc/${pid}`))).toEqual([]);

      const { sent, answered, lost, reordered, repeated, overflowed, silenceMs } = await traffic.end();
      expect({ lost, reordered, repeated }, shown()).toEqual({ lost: 0, reordered: 0, repeated: 0 });
      const { flows } = await cluster.json<{ flows: { packets: number[]; nfs: Record<string, { packets: string }> }[] }>("flows", "web");
      // States have gone along: each counts its flow from the first packet on.
      for (const { packets, nfs } of flows) expect(Object.values(nfs).map((one) => Number(one.packets))).toEqual(CHAIN.map(() => packets[0]! + packets[1]!));
      const { runtimes } = await cluster.json<{ runtimes: { runtimes: RuntimeJson[] } }>("status", "web");
      const [vswitch] = runtimes.runtimes;
      expect({ ...vswitch, received: vswitch!.received - overflowed }).toMatchObject({ received: sent + answered, sent: sent + answered, dropped: 0, held: 0 });
      const shiftedFlows = decided().reduce((sum, { rule, seen }) => sum + (rule === "hot_runtime" ? Number(seen["count"]) : 0), 0);
      const seconds = (balancedMs / 1000).toFixed(1);
      console.log(`balanced after ${seconds} s, ${shiftedFlows} flows moved; ${sent + answered} packets, ${lost} lost; none of a flow for ${silenceMs} ms`);
    },
    2 * WITHIN_MS + 60_000,
  );
});

type Runtimes = readonly RuntimeJson[];
const flowsOf = (runtimes: Runtimes): number => sumOf(runtimes, "flows");
const sumOf = (runtimes: Runtimes, name: "flows" | "moved_in" | "moved_out"): number => runtimes.reduce((sum, one) => sum + one[name], 0);
const runtimeText = ({ runtime, load, flows, moved_in, moved_out, queued }: TopDeployment["runtimes"][number]): string =>
  `runtime ${runtime}: load ${load.toFixed(3)}, ${flows} flows, ${moved_in} in, ${moved_out} out, ${queued} queued`;
