/**
 * A process of the benchmark in one of the lab's namespaces that does what the benchmark asks it for, and says when it began and ended: times are taken
 * where things happen, on the clock that all processes of the machine share.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { NetworkLab, Place } from "../lib/network_lab.ts";
import { ROOT } from "../lib/live_host.ts";

// What a worker can do; `never` takes the arguments of any function.
export type Operations = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface Timed<T> {
  readonly value: T;
  readonly beganMs: number;
  readonly endedMs: number;
}

interface Question {
  readonly id: number;
  readonly what: string;
  readonly args: readonly unknown[];
}
type Reply = { readonly id: number } & ({ readonly timed: Timed<unknown> } | { readonly failed: string });

/** Milliseconds since the machine was started: the same in all processes. */
export const clockMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** In the worker: until its parent ends. */
export function serveOperations(operations: Operations): void {
  process.on("message", (question: Question) => void answer(operations, question));
  process.on("disconnect", () => process.exit(0));
  process.send!({ id: 0, timed: { value: undefined, beganMs: 0, endedMs: clockMs() } } satisfies Reply);
}

async function answer(operations: Operations, { id, what, args }: Question): Promise<void> {
  const beganMs = clockMs();
  const say = (reply: Reply): void => void process.send!(reply);
  try {
    const value: unknown = await operations[what]!(...(args as never[]));
    say({ id, timed: { value, beganMs, endedMs: clockMs() } });
  } catch (error) {
    say({ id, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

export class Worker<O extends Operations> {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { readonly done: (timed: Timed<unknown>) => void; readonly fail: (why: Error) => void }>();
  #last = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid!;
    child.on("message", (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ("failed" in reply) waiting?.fail(new Error(reply.failed));
      else waiting?.done(reply.timed);
    });
    child.once("exit", (code, signal) => {
      for (const { fail } of this.#waiting.values()) fail(new Error(`a process of the benchmark has ended with ${signal ?? `exit code ${code}`}`));
      this.#waiting.clear();
    });
  }

  /** `script`: path from the root of the repository, of a file that calls serveOperations(). */
  static async start<O extends Operations>(lab: NetworkLab, place: Place, script: string, args: readonly string[] = []): Promise<Worker<O>> {
    const child = lab.spawn(place, process.execPath, ["--import", "./sdk/register.mjs", script, ...args], {
      cwd: ROOT,
      stdio: ["ignore", 2, 2, "ipc"],
      serialization: "advanced",
    });
    const worker = new Worker<O>(child);
    await new Promise<unknown>((done, fail) => worker.#waiting.set(0, { done, fail }));
    return worker;
  }

  ask<K extends keyof O & string>(what: K, ...args: Parameters<O[K]>): Promise<Timed<Awaited<ReturnType<O[K]>>>> {
    const id = (this.#last += 1);
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done: done as (timed: Timed<unknown>) => void, fail });
      this.#child.send({ id, what, args } satisfies Question);
    });
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
