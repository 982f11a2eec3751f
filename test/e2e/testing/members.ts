/** The processes of a tenant as a test sees and ends them. */
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { RunResult } from "../../../host/src/result/run_result.ts";
import type { RuntimeJson } from "../../../host/src/result/runtimes_result.ts";
import type { ControlClient } from "../../../host/src/rpc/client.ts";
import type { LiveHost } from "../../../scripts/lib/live_host.ts";

const LOOK_MS = 50;
const WAIT_MS = 30_000;
/** What processes say of themselves is asked for three times a second, and takes its time on a busy machine. */
const ASKED_EVERY_MS = 1000;
/** Updates on their way while packets flow: a replica that is missing altogether has more. */
const LAG_MAX = 1000;

export const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
/** 0 when every packet is in the books exactly once. */
export const balance = ({ received, sent, held, dropped, emitted = 0, lost_in_failure = 0 }: RunResult["packets"]): number =>
  received + emitted - sent - held - sum(dropped) - lost_in_failure;

/** Packets that the books say have not come through. */
export const goneBy = ({ dropped, missed = 0, lost_in_failure = 0 }: RunResult["packets"]): number => sum(dropped) + missed + lost_in_failure;

type All = readonly RuntimeJson[];
export const isWhole = (all: All): boolean => all.every(({ state, pid, unreachable }) => state !== "down" && pid !== undefined && !unreachable);
export const pidOf = (all: All, runtime: number): number => all.find((one) => one.runtime === runtime)!.pid!;
export const isProtected = (all: All): boolean =>
  isWhole(all) && all.every(({ unprotected, replication_lag }) => unprotected === 0 && replication_lag < LAG_MAX);

/** Ctrl-C, which has reached the process when this resolves: of two that wait, the kernel delivers one. */
export async function interrupt(pid: number): Promise<void> {
  process.kill(pid, "SIGINT");
  for (;;) {
    const [status] = await Promise.allSettled([readFile(`/proc/${pid}/status`, "utf8")]);
    if (status.status === "rejected" || /^ShdPnd:\t0+$/m.test(status.value)) return;
    await pause(1);
  }
}

export class Members {
  readonly #host: LiveHost;

  constructor(host: LiveHost) {
    this.#host = host;
  }

  /** Over a connection of its own: the host ends one that is idle for long. */
  async #call<T>(ask: (client: ControlClient) => Promise<T>): Promise<T> {
    let client: ControlClient | undefined;
    try {
      client = await this.#host.connect();
      return await ask(client);
    } catch (error) {
      throw new Error(`${(error as Error).message}; the host has said:\n${this.#host.messages}`, { cause: error });
    } finally {
      client?.close();
    }
  }

  async all(): Promise<RuntimeJson[]> {
    return (await this.#call((client) => client.call("runtimes", {}))).runtimes;
  }

  async of(member: number): Promise<RuntimeJson> {
    return (await this.all()).find(({ runtime }) => runtime === member)!;
  }

  /** Up to so many flows of all runtimes; fails when there are more. */
  async flows(limit: number, ...match: string[]): ReturnType<LiveHost["flows"]> {
    const page = await this.#call((client) => client.call("flows", { match, limit }));
    if (page.more) throw new Error(`there are more than ${limit} flows`);
    return page;
  }

  /** What the members say once it is as wanted; fails when it does not become so. */
  async until(what: string, holds: (all: All) => boolean): Promise<RuntimeJson[]> {
    let all: RuntimeJson[] = [];
    for (const end = performance.now() + WAIT_MS; performance.now() < end; await pause(LOOK_MS)) {
      all = await this.all();
      if (holds(all)) return all;
    }
    throw new Error(`${what}: it did not come to that\n${JSON.stringify(all, null, 1)}\n${this.#host.messages}`);
  }

  /** Everybody works, and every flow has a replica, by what they say after this has begun. */
  async protected(): Promise<RuntimeJson[]> {
    await pause(ASKED_EVERY_MS);
    return this.until("every flow has a replica", isProtected);
  }

  /** kill -9; resolves when another process has taken its place and every flow has a replica. How long that took, in ms. */
  async kill(member: number): Promise<number> {
    const { pid } = await this.of(member);
    const begun = performance.now();
    process.kill(pid!, "SIGKILL");
    await this.until(`member ${member} comes back`, (all) => isWhole(all) && all.find(({ runtime }) => runtime === member)!.pid !== pid);
    await this.protected();
    return performance.now() - begun;
  }

  /** kill -9 of a member and of everyone that takes its place, before it works; until the function that this returns has been called. */
  keepDead(member: number): () => Promise<void> {
    let [isOver, last] = [false, 0];
    const killing = (async () => {
      for (; !isOver; await pause(10)) {
        const { pid = 0 } = await this.of(member);
        if (pid === 0 || pid === last) continue;
        last = pid;
        process.kill(pid, "SIGKILL");
      }
    })();
    return () => {
      isOver = true;
      return killing;
    };
  }
}
