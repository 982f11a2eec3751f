/** What the benchmarks are to reach on two cores without a network card. docs/performance.md says next to each figure whether it does. */
import { type BenchRow, figure } from "./bench_rows.ts";

interface Goal {
  name: string;
  /** Cases that it is for. */
  cases: RegExp;
  metric: string;
  /** Which of the row's numbers; the median unless said. */
  of?: "ratio" | "max";
  atMost?: number;
  atLeast?: number;
}

export const GOALS: readonly Goal[] = [
  { name: "chain", cases: /./, metric: "packet", of: "ratio", atMost: 1.25 },
  { name: "chain", cases: /^firewall, nat44, load_balancer, 64k flows/, metric: "packet", atMost: 100 },
  { name: "actor", cases: /./, metric: "actor_layer", atMost: 5 },
  { name: "actor", cases: /./, metric: "flow_start", atMost: 200 },
  { name: "control", cases: /^upload to serving, /, metric: "serving", atMost: 1000 },
  { name: "control", cases: /^load step/, metric: "packets_lost", of: "max", atMost: 0 },
  { name: "control", cases: /^throughput, controller (busy|dead|restarting)$/, metric: "throughput", of: "ratio", atLeast: 0.95 },
  { name: "engine", cases: /^watchdog's thread, calls run$/, metric: "cpu", atMost: 5 },
  { name: "engine", cases: /^runaway call until it is stopped$/, metric: "cpu_time", atMost: 1000 },
  { name: "memory", cases: /^1 NFs of 64-byte states, /, metric: "flows_per_gib", atLeast: 4e6 },
  { name: "messages", cases: /, 64 bytes, (32|512) a turn$/, metric: "rate", atLeast: 10 },
  { name: "messages", cases: /, 1 % lost$/, metric: "goodput", atLeast: 90 },
  { name: "migrate", cases: /^one flow, (all|target)/, metric: "flow_p50", atMost: 10 },
  { name: "migrate", cases: /, (100|1k|4k) at once/, metric: "flows_per_second", atLeast: 1e6 },
  { name: "migrate", cases: /./, metric: "packets_lost", of: "max", atMost: 0 },
  { name: "migrate", cases: /./, metric: "packets_reordered", of: "max", atMost: 0 },
  { name: "recover", cases: /^nfactor, 100k/, metric: "silence", atMost: 10 },
  { name: "recover", cases: /^nfactor, 100k/, metric: "promoted", atMost: 10 },
  { name: "recover", cases: /^nfactor/, metric: "changed", of: "max", atMost: 0 },
  { name: "replicate", cases: /hold$/, metric: "packet", of: "ratio", atMost: 1.1 },
  { name: "replicate", cases: /hold$/, metric: "wire", of: "ratio", atMost: 1.5 },
  { name: "swap", cases: /./, metric: "pause", atMost: 1000 },
  { name: "swap", cases: /./, metric: "packets_dropped", of: "max", atMost: 0 },
];

function outcome(goal: Goal, row: BenchRow): string {
  const value = row[goal.of ?? "median"];
  const met = value !== null && value <= (goal.atMost ?? Infinity) && value >= (goal.atLeast ?? -Infinity);
  const limit = goal.atMost !== undefined ? `≤ ${figure(goal.atMost)}` : `≥ ${figure(goal.atLeast!)}`;
  return `${limit}${goal.of === "ratio" ? " ×" : ""}: ${met ? "met" : "missed"}`;
}

/** "≤ 1,000: met"; several with semicolons; empty when there is no goal for the row. */
export function goalOf(row: BenchRow): string {
  return GOALS.filter(({ name, cases, metric }) => name === row.name && metric === row.metric && cases.test(row.case))
    .map((goal) => outcome(goal, row))
    .join("; ");
}
