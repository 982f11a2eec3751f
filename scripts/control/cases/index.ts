/** The cases in the order in which they are measured; `--case` chooses by these names. */
import type { ControlLab } from "../control_lab.ts";
import type { Samples } from "../samples.ts";
import { measureBalance } from "./balance.ts";
import { measureCalls } from "./calls.ts";
import { measureDeployments } from "./deployments.ts";
import { measureServing } from "./serving.ts";
import { measureThroughput } from "./throughput.ts";

export interface Effort {
  /** Repetitions of what is done once. */
  readonly runs: number;
  /** Ordered at once, and ended before the next ones; `each`: runtimes of a deployment. `isRestarted`: the controller is killed and started beside them. */
  readonly many: readonly { readonly deployments: number; readonly each: number; readonly isRestarted: boolean }[];
  /** Until what was begun is over. */
  readonly settleMs: number;
  /** Of CPU and memory at rest. */
  readonly restMs: number;
  readonly restSlices: number;
  /** Of throughput: each has a slice under every condition. */
  readonly rounds: number;
  readonly sliceMs: number;
  /** Load steps. */
  readonly steps: number;
  /** Of each RPC. */
  readonly calls: number;
  /** Repetitions of what takes seconds. */
  readonly few: number;
}

export interface Case {
  readonly name: string;
  readonly measure: (lab: ControlLab, samples: Samples, effort: Effort) => Promise<void>;
}

export const CASES: readonly Case[] = [
  { name: "upload to serving", measure: measureServing },
  { name: "deployments", measure: measureDeployments },
  { name: "load step", measure: measureBalance },
  { name: "throughput", measure: measureThroughput },
  { name: "calls", measure: measureCalls },
];
