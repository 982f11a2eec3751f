/** The scenarios of the benchmark: each makes something hard that happens to real clusters. */
import { type Load, type RecordedLoad, type Scenario, plateau, replay, steady, wave } from "./load.ts";
import type { Model } from "./model.ts";
import { works } from "./model.ts";
import { HeavyTail } from "./random.ts";

/** Seconds: most flows are short, some last as long as the scenario. */
const WEB = new HeavyTail(1.3, 15, 3600);
const LONG = new HeavyTail(1.2, 60, 7200);
const FLOWS_PER_RUNTIME = 300;

const load = (base: number, of: Partial<Load> = {}): Load => ({
  ...{ base, flows: Math.round(base * FLOWS_PER_RUNTIME), durations: WEB, intensity: steady, arrivals: steady },
  ...of,
});

const scenario = (name: string, seconds: number, loads: readonly Load[], of: Partial<Scenario> = {}): Scenario => ({
  ...{ name, seconds, loads, hosts: 8, room: 32, replicas: 0 as const, events: [], reports: { lagMs: 20, lossShare: 0 }, failingStarts: 0 },
  ...of,
});

/** Flows that become heavier and heavier, up to `rate` each, one begun every `everyS` seconds. */
function elephants(count: number, rate: number, fromS: number, everyS: number) {
  const steps = 20;
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: steps }, (_unused, step) => ({
      atS: fromS + i * everyS + step,
      happens: (model: Model): void => {
        const group = model.groups[0]!;
        if (step === 0) {
          const holder = group.runtimes.filter(works)[model.random.below(group.runtimes.filter(works).length)];
          if (holder) group.elephants.push(model.flows.open(holder, 0, Number.MAX_SAFE_INTEGER));
        }
        const flow = group.elephants[i];
        if (flow !== undefined) model.flows.setRate(flow, (rate * (step + 1)) / steps);
      },
    })),
  ).flat();
}

const killRuntimes = (fromS: number, toS: number, everyS: number) =>
  Array.from({ length: Math.floor((toS - fromS) / everyS) }, (_, i) => ({
    atS: fromS + i * everyS,
    harms: true,
    happens: (model: Model): void => {
      const living = model.groups.flatMap(({ runtimes }) => runtimes.filter(works));
      const one = living[model.random.below(living.length)];
      if (one) model.kill(one);
    },
  }));

export function scenarios(recorded: RecordedLoad): Scenario[] {
  return [
    scenario(
      "recorded load, 4 tenants",
      450,
      [0, 20, 40, 60].map((offset) => load(8, { intensity: replay(recorded, offset) })),
    ),
    scenario("a day in an hour, 3 tenants", 3600, [
      load(32, { arrivals: wave(0.25, 3600) }),
      load(16, { arrivals: wave(0.25, 3600, 0.33) }),
      load(8, { arrivals: wave(0.25, 3600, 0.6) }),
    ]),
    scenario("flows twice as heavy at once", 600, [load(70, { intensity: plateau(120, 400, 2) })], { hosts: 10 }),
    scenario("flash crowd of new flows", 600, [load(40, { arrivals: plateau(120, 180, 8) })]),
    scenario("elephant flows", 600, [load(20)], { events: elephants(8, 0.65, 60, 40) }),
    scenario("long flows left over", 1800, [load(40, { durations: LONG, arrivals: (t) => (t < 200 ? 1 : 0.05), intensity: (t) => (t < 200 ? 1 : 0.4) })]),
    scenario("runtimes and a host die", 600, [load(24), load(12)], {
      replicas: 1,
      events: [
        ...killRuntimes(60, 580, 20),
        { atS: 210, harms: true, happens: (model) => model.killHost(model.hosts[1]!) },
        { atS: 450, harms: true, happens: (model) => model.reviveHost(model.hosts[1]!) },
      ],
    }),
    scenario("reports late and lost, starts fail", 600, [load(30, { intensity: plateau(120, 400, 2) })], {
      reports: { lagMs: 1500, lossShare: 0.25 },
      failingStarts: 0.1,
      events: [{ atS: 200, harms: true, happens: (model) => (model.hosts[2]!.silentUntilMs = 260_000) }],
    }),
  ];
}
