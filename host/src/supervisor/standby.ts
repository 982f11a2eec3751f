/**
 * A process that is a vswitch but for its specification (nfactord standby), so that what follows a vswitch that dies has only that left to do. It is an
 * advantage, never a need: without it the next vswitch is started as ever. Main thread.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, renameSync } from "node:fs";
import type { Socket } from "node:net";
import type { EalOptions } from "../dataplane/native_types.ts";
import { nfactordPath } from "../package.ts";
import { INCARNATION_MAX, type Life, VSWITCH } from "./membership_events.ts";
import type { RunFolder } from "./run_folder.ts";

export class Standby {
  readonly #folder: RunFolder;
  #child: ChildProcess | undefined;
  #isInVain = false;
  readonly #failed = (): void => {
    this.#child = undefined;
    this.#isInVain = true;
  };

  constructor(folder: RunFolder) {
    this.#folder = folder;
  }

  get isThere(): boolean {
    return this.#child !== undefined;
  }

  /** There is one soon, unless one has failed before. */
  prepare({ memoryMb, hugepages }: EalOptions): void {
    if (this.#child || this.#isInVain) return;
    let log: number | undefined;
    try {
      log = openSync(this.#folder.standbyLog, "w", 0o600);
      // The longest name that the specification of a vswitch has: it will be written there.
      const room = this.#folder.specOf({ member: VSWITCH, incarnation: INCARNATION_MAX });
      this.#child = spawn(nfactordPath(), ["standby", room, String(memoryMb), hugepages], { detached: true, stdio: ["ignore", log, log, "pipe"] });
      this.#child.once("error", this.#failed);
      this.#child.once("exit", this.#failed);
      this.#child.unref();
      const socket = this.#child.stdio[3] as Socket;
      socket.on("error", () => undefined);
      socket.unref();
    } catch {
      this.#failed();
    } finally {
      if (log !== undefined) closeSync(log);
    }
  }

  /** It becomes this life, whose specification is written. Undefined when there is none. */
  take(life: Life): ChildProcess | undefined {
    const child = this.#release();
    if (!child) return undefined;
    renameSync(this.#folder.standbyLog, this.#folder.logOf(life));
    const socket = child.stdio[3] as Socket;
    child.ref();
    socket.ref();
    socket.write(`${this.#folder.specOf(life)}\n`);
    return child;
  }

  close(): void {
    const child = this.#release();
    child?.kill("SIGKILL");
    (child?.stdio[3] as Socket | undefined)?.destroy();
  }

  #release(): ChildProcess | undefined {
    const child = this.#child;
    this.#child = undefined;
    child?.off("error", this.#failed);
    child?.off("exit", this.#failed);
    return child?.pid === undefined || child.exitCode !== null || child.signalCode !== null ? undefined : child;
  }
}
