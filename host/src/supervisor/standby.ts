/**
 * Processes that have done what a member does before it knows anything (nfactord standby), so that who becomes one has only the rest left to do: all members
 * at a tenant's first start, which begin while their code is still being compiled, and later the vswitch that follows one that dies. They are an advantage,
 * never a need: without them members are started as ever. Main thread.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, renameSync } from "node:fs";
import type { Socket } from "node:net";
import { SWITCHING } from "../config/host_config.ts";
import type { EalOptions } from "../dataplane/native_types.ts";
import { nfactordPath } from "../package.ts";
import { findMembers } from "./member_process.ts";
import { INCARNATION_MAX, type Life, VSWITCH } from "./membership_events.ts";
import type { RunFolder } from "./run_folder.ts";

/** The pools of a vswitch take a little less. */
const TOUCHED_MB = 64;

interface Waiting {
  readonly child: ChildProcess;
  readonly log: string;
  readonly failed: () => void;
}

export class Standby {
  readonly #folder: RunFolder;
  readonly #waiting: Waiting[] = [];
  #isInVain = false;

  constructor(folder: RunFolder) {
    this.#folder = folder;
  }

  /**
   * For the members of a first start, before anything else is known of them. Undefined where processes run already: they are taken over. What else is in the
   * folder goes. What they touch before they know how much they need is wasted where all start at once, so they touch nothing.
   */
  static ofFirstStart(folder: RunFolder, eal: EalOptions, members: number): Standby | undefined {
    if (findMembers(folder.path).length > 0) return undefined;
    folder.clear();
    const standby = new Standby(folder);
    standby.#fill(eal, members, 0);
    return standby;
  }

  get isThere(): boolean {
    return this.#waiting.length > 0;
  }

  /** There is one soon, unless one has failed before. */
  prepare(eal: EalOptions): void {
    this.#fill(eal, 1, TOUCHED_MB);
  }

  /** It becomes this life, whose specification is written. Undefined when there is none. */
  take(life: Life): ChildProcess | undefined {
    for (let one = this.#release(); one; one = this.#release()) {
      const { child, log } = one;
      if (!isAlive(child)) continue;
      renameSync(log, this.#folder.logOf(life));
      const socket = child.stdio[3] as Socket;
      child.ref();
      socket.ref();
      socket.write(`${life.member === VSWITCH ? "vswitch" : "runtime"} ${this.#folder.specOf(life)}\n`);
      return child;
    }
    return undefined;
  }

  close(): void {
    for (let one = this.#release(); one; one = this.#release()) {
      one.child.kill("SIGKILL");
      (one.child.stdio[3] as Socket | undefined)?.destroy();
    }
  }

  #fill({ memoryMb, hugepages }: EalOptions, count: number, touchedMb: number): void {
    // The longest name that a specification has: it will be written there.
    const room = this.#folder.specOf({ member: SWITCHING.runtimes_max, incarnation: INCARNATION_MAX });
    while (this.#waiting.length < count && !this.#isInVain) {
      let log: number | undefined;
      try {
        const path = this.#folder.standbyLog(this.#waiting.length);
        log = openSync(path, "w", 0o600);
        const args = ["standby", room, String(memoryMb), hugepages, String(touchedMb)];
        this.#add(spawn(nfactordPath(), args, { detached: true, stdio: ["ignore", log, log, "pipe"] }), path);
      } catch {
        this.#isInVain = true;
      } finally {
        if (log !== undefined) closeSync(log);
      }
    }
  }

  #add(child: ChildProcess, log: string): void {
    const failed = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
      this.#isInVain = true;
    };
    const one = { child, log, failed };
    this.#waiting.push(one);
    child.once("error", failed).once("exit", failed);
    child.unref();
    const socket = child.stdio[3] as Socket;
    socket.on("error", () => undefined);
    socket.unref();
  }

  #release(): Waiting | undefined {
    const one = this.#waiting.shift();
    one?.child.off("error", one.failed).off("exit", one.failed);
    return one;
  }
}

function isAlive({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}
