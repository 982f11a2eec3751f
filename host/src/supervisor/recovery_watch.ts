/** How long the flows of runtimes that died have waited: from when a death was seen until the last of them went on elsewhere, as others' counters tell. */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { RECOVERY_BOUNDS_MS } from "../result/runtimes_result.ts";

const LOOK_MS = 5;
/** Flows without a packet are made anew one after the other: when none comes for so long, that was all. */
const QUIET_MS = 1_000;

export interface Recoveries {
  /** By RECOVERY_BOUNDS_MS: of each those that are not in the one before it, then those that took longer. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

export interface RecoveryWatchOptions {
  /** By member: flows that it has made of replicas; of the vswitch: that it has given up. Since its process was started. */
  recovered(): ReadonlyMap<number, number>;
  /** False ends it. */
  isOn(): boolean;
}

export class RecoveryWatch {
  readonly #options: RecoveryWatchOptions;
  readonly #counts = new Array<number>(RECOVERY_BOUNDS_MS.length + 1).fill(0);
  #sumMs = 0;
  /** When all was quiet: the dataplane may be done before this hears of the death. */
  #atRest: ReadonlyMap<number, number> = new Map();

  constructor(options: RecoveryWatchOptions) {
    this.#options = options;
  }

  /** What has happened so far is no matter of this. */
  begin(): void {
    this.#atRest = this.#options.recovered();
  }

  get recoveries(): Recoveries {
    return { counts: [...this.#counts], sumMs: this.#sumMs };
  }

  /** `dead`: a runtime that has just died with so many flows. Resolves when they go on, or nothing happens any more. */
  async follow(dead: number, flows: number): Promise<void> {
    const begunMs = performance.now();
    const atRest = this.#atRest;
    const since = (): number => {
      const now = this.#options.recovered();
      // Those of a process that has been started since are all new.
      return [...now].reduce((sum, [member, n]) => (member === dead ? sum : sum + n - Math.min(atRest.get(member) ?? 0, n)), 0);
    };
    let [last, changedMs] = [since(), begunMs];
    while (last < flows && performance.now() - changedMs < QUIET_MS && this.#options.isOn()) {
      await sleep(LOOK_MS);
      const now = since();
      if (now !== last) changedMs = performance.now();
      last = now;
    }
    this.begin();
    if (last === 0 || flows === 0) return;
    const tookMs = changedMs - begunMs;
    const place = RECOVERY_BOUNDS_MS.findIndex((bound) => tookMs <= bound);
    this.#counts[place < 0 ? RECOVERY_BOUNDS_MS.length : place]! += 1;
    this.#sumMs += tookMs;
  }
}
