/** One run of a scenario under a controller, from a seed: the same seed, the same run. */
import { type Policy, parsePolicy } from "../policy.ts";
import type { Constants } from "./constants.ts";
import type { Controller } from "./controllers.ts";
import type { Scenario } from "./load.ts";
import { Model, STEP_MS, type Totals } from "./model.ts";

const TURN_MS = 1000;

export interface Profile {
  /** Of each group, in runtimes. */
  first: number[];
  peak: number[];
  mean: number[];
}

/** What the scenario asks for, whoever scales: one runtime for each group, so large that nothing matters. */
export function profileOf(scenario: Scenario, constants: Constants, seed: number): Profile {
  const calm = { ...scenario, hosts: 1, room: scenario.loads.length, events: scenario.events.filter(({ harms }) => harms !== true) };
  const model = new Model(calm, { ...constants, capacityPps: constants.capacityPps * 1e6 }, seed, false);
  model.begin(scenario.loads.map(() => 1));
  const demands = (): number[] => model.groups.map(({ runtimes, load }) => runtimes[0]!.rate * load.intensity(model.nowMs / 1000));
  const first = demands();
  const peak = [...first];
  const sums = first.map(() => 0);
  const steps = (scenario.seconds * 1000) / STEP_MS;
  for (let i = 0; i < steps; i++) {
    model.step();
    demands().forEach((demand, g) => {
      peak[g] = Math.max(peak[g]!, demand);
      sums[g]! += demand;
    });
  }
  return { first, peak, mean: sums.map((sum) => sum / steps) };
}

/** Bounds that are in no scenario's way; everything else is the standard. */
export function policyFor(scenario: Scenario): Policy {
  const max = scenario.hosts * scenario.room;
  return parsePolicy({
    groups: Object.fromEntries(scenario.loads.map((_, i) => [`g${i + 1}`, { max, min: 1 + scenario.replicas, replicas: scenario.replicas }])),
  });
}

export function simulate(scenario: Scenario, constants: Constants, controller: Controller, sizes: readonly number[], seed: number): Totals {
  const model = new Model(scenario, constants, seed, controller.readsReports);
  model.begin(sizes);
  for (let i = 0; i < (scenario.seconds * 1000) / STEP_MS; i++) {
    model.step();
    if (model.nowMs % TURN_MS === 0) controller.turn(model);
  }
  return model.totals;
}
