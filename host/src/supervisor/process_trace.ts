/**
 * A trace in all members of a tenant. Runtimes record what the vswitch has chosen: so they begin before it, and one that starts meanwhile begins when it is
 * first read from.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { TraceBatch, TraceWanted } from "../trace/records.ts";
import { VSWITCH } from "./membership_events.ts";
import type { Supervisor } from "./supervisor.ts";

const READ_MS = 2000;

export class ProcessTrace {
  readonly #supervisor: Supervisor;
  /** Lives that record, by member. */
  readonly #lives = new Map<number, number>();
  #endMs = 0;

  constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor;
  }

  /** Rejects with NfError: trace.unsupported when a member is of an older version. */
  async start(wanted: TraceWanted): Promise<void> {
    this.#lives.clear();
    this.#endMs = performance.now() + wanted.ms;
    try {
      // One that is being started again begins later.
      for (const member of this.#supervisor.runtimes) await this.#begin(member, wanted).catch(unlessGone);
      await this.#begin(VSWITCH, wanted).catch(unlessOlder);
    } catch (error) {
      await this.stop(wanted.id);
      throw error;
    }
  }

  /** Of each member that can be reached, in order of their numbers. `wanted.packets` may be more than before. */
  async read(wanted: TraceWanted): Promise<TraceBatch[]> {
    const batches = await Promise.all(
      [VSWITCH, ...this.#supervisor.runtimes].map(async (member): Promise<TraceBatch[]> => {
        try {
          const { incarnation, agent } = this.#supervisor.of(member) ?? {};
          if (this.#lives.get(member) !== incarnation) await this.#begin(member, wanted);
          const answer = await this.#supervisor.ask(member, "trace_read", { trace: wanted.id, packets: wanted.packets }, READ_MS);
          return [{ ...answer, member, isRemote: agent !== undefined }];
        } catch {
          return [];
        }
      }),
    );
    return batches.flat();
  }

  /** The vswitch first: nothing is chosen any more. */
  async stop(id: number): Promise<void> {
    const members = [VSWITCH, ...this.#lives.keys()].filter((member, i, all) => all.indexOf(member) === i);
    for (const member of members) await this.#supervisor.ask(member, "trace_stop", { trace: id }, READ_MS).catch(() => undefined);
    this.#lives.clear();
  }

  async #begin(member: number, { id, filter, packets, frameBytes, point }: TraceWanted): Promise<void> {
    const incarnation = this.#supervisor.of(member)?.incarnation;
    const ms = Math.max(1, Math.round(this.#endMs - performance.now()));
    await this.#supervisor.ask(member, "trace_start", { trace: id, filter, packets, ms, frameBytes, point }, READ_MS);
    if (incarnation !== undefined) this.#lives.set(member, incarnation);
  }
}

/** A runtime that is not there just now is no reason to trace nothing. */
function unlessGone(error: unknown): void {
  if (error instanceof NfError && (error.code === "runtime.busy" || error.code === "host.socket")) return;
  unlessOlder(error);
}

function unlessOlder(error: unknown): never {
  if (!(error instanceof NfError) || error.code !== "member.command") throw error;
  throw new NfError("trace.unsupported", "a process of this host is of an older version, which cannot trace", {
    cause: error,
    fix: "Have its processes started anew: 'nfactor recover <runtime>', or the whole host.",
  });
}
