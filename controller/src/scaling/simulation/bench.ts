/**
 * `npm run bench -- scaling`: every scenario under decide(), under what systems of today do, and with numbers of runtimes that stay; rows as all benchmarks
 * print them. One run for each seed; the same seeds give the same rows. Its baseline is "new flows only".
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { readConstants } from "./constants.ts";
import { type Controller, Deciding, Fixed, NewFlowsOnly } from "./controllers.ts";
import type { RecordedLoad, Scenario } from "./load.ts";
import type { Totals } from "./model.ts";
import { scenarios } from "./scenarios.ts";
import { policyFor, profileOf, simulate } from "./simulate.ts";

const ROOT = new URL("../../../../", import.meta.url).pathname;
const SEEDS = [1, 2, 3];
const BASELINE = "new flows only";

interface Metric {
  name: string;
  unit: string;
  of: (totals: Totals) => number;
  /** It is shown only for who has some. */
  rare?: boolean;
}

const METRICS: readonly Metric[] = [
  { name: "overload", unit: "runtime s", of: ({ overloadSeconds }) => overloadSeconds },
  { name: "packets_lost", unit: "ppm", of: ({ packetsLost, packets }) => (packetsLost / packets) * 1e6 },
  { name: "cost", unit: "runtime h", of: ({ runtimeHours }) => runtimeHours },
  { name: "flows_moved", unit: "flows", of: ({ flowsMoved }) => flowsMoved, rare: true },
  { name: "starts", unit: "runtimes", of: ({ starts }) => starts, rare: true },
  { name: "states_lost", unit: "flows", of: ({ statesLost }) => statesLost, rare: true },
];

const round = (value: number): number => Number(value.toPrecision(6));
const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)]!;

function measure(scenario: Scenario, constants: ReturnType<typeof readConstants>, seeds: readonly number[]): Map<string, Totals[]> {
  const all = new Map<string, Totals[]>();
  const policy = policyFor(scenario);
  const { load_target: target } = policy.groups["g1"]!;
  const least = 1 + scenario.replicas;
  for (const seed of seeds) {
    const profile = profileOf(scenario, constants, seed);
    const sized = (demands: readonly number[]): number[] => demands.map((demand) => Math.max(least, Math.ceil(demand / target)));
    const [first, peak, mean] = [sized(profile.first), sized(profile.peak), sized(profile.mean)];
    const runs: readonly [Controller, number[]][] = [
      [new Deciding(policy), first],
      [new NewFlowsOnly(policy), first],
      [new Fixed("fixed at peak", peak, policy), peak],
      [new Fixed("fixed at mean", mean, policy), mean],
    ];
    for (const [controller, sizes] of runs) {
      const totals = simulate(scenario, constants, controller, sizes, seed);
      all.set(controller.name, [...(all.get(controller.name) ?? []), totals]);
    }
  }
  return all;
}

function rowsOf(scenario: Scenario, measured: ReadonlyMap<string, readonly Totals[]>) {
  return METRICS.flatMap(({ name: metric, unit, of, rare }) => {
    const values = new Map([...measured].map(([name, totals]) => [name, totals.map(of).sort((a, b) => a - b)]));
    const compared = median(values.get(BASELINE)!);
    const shown = [...values].filter(([, list]) => !rare || list.at(-1)! > 0);
    return shown.map(([name, list]) => ({
      ...{ name: "scaling", case: `${scenario.name}: ${name}`, metric, unit, median: round(median(list)), min: round(list[0]!), max: round(list.at(-1)!) },
      baseline: name === BASELINE ? null : round(compared),
      ratio: name === BASELINE || compared === 0 ? null : round(median(list) / compared),
      runs: list.length,
    }));
  });
}

function main(): void {
  const { values } = parseArgs({ options: { json: { type: "boolean" }, quick: { type: "boolean" }, full: { type: "boolean" }, case: { type: "string" } } });
  const recorded = JSON.parse(readFileSync(`${ROOT}controller/fixtures/recorded_load.json`, "utf8")) as RecordedLoad;
  const constants = readConstants(`${ROOT}docs/performance.md`, recorded);
  const chosen = scenarios(recorded).filter(({ name }) => values.case === undefined || name.includes(values.case));
  const rows = chosen.flatMap((scenario) => {
    const from = performance.now();
    const rows = rowsOf(scenario, measure(scenario, constants, values.quick ? SEEDS.slice(0, 1) : SEEDS));
    console.error(`  ${scenario.name}: ${((performance.now() - from) / 1000).toFixed(1)} s`);
    return rows;
  });
  console.log(JSON.stringify(rows));
}

main();
