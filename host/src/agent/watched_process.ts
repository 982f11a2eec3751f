/**
 * One runtime's process on an agent's machine: started here, or found running by an agent that has been started again. It is in a session of its own, so that
 * the agent's end is not its end. What is left of it when it has ended stays until the supervisor has put it into its books.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { NfError } from "@nfactor/sdk/errors";
import { nfactordPath } from "../package.ts";
import { LOG_BYTES_MAX, type LifeReport } from "../supervisor/agent_messages.ts";
import type { Life } from "../supervisor/membership_events.ts";
import { type ProcessId, isAlive, kill, startOf } from "../supervisor/process_id.ts";
import type { RunFolder } from "../supervisor/run_folder.ts";

/** How often a process that is no child is looked at. */
const LOOK_MS = 50;

export class WatchedProcess {
  readonly life: Life;
  readonly #folder: RunFolder;
  readonly #id: ProcessId;
  #how: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #whenEnded: () => void = () => undefined;
  readonly ended: Promise<void>;

  private constructor(folder: RunFolder, life: Life, id: ProcessId) {
    this.#folder = folder;
    this.life = life;
    this.#id = id;
    this.ended = new Promise((done) => (this.#whenEnded = done));
  }

  /** With the specification in the folder. Rejects with NfError (native.missing, internal). */
  static async start(folder: RunFolder, life: Life): Promise<WatchedProcess> {
    const log = openSync(folder.logOf(life), "a", 0o600);
    let child: ChildProcess;
    try {
      child = spawn(nfactordPath(), ["runtime", folder.specOf(life)], { detached: true, stdio: ["ignore", log, log] });
    } finally {
      closeSync(log);
    }
    await new Promise<void>((done, fail) => {
      child.once("spawn", done);
      child.once("error", (cause) => fail(new NfError("internal", `no process can be started: ${cause.message}`, { cause })));
    });
    const made = new WatchedProcess(folder, life, { pid: child.pid!, start: startOf(child.pid!) ?? "" });
    child.once("exit", (code, signal) => made.#end(signal ?? `exit code ${code}`));
    return made;
  }

  /** One that runs; without an id, one that has ended while nobody watched. */
  static found(folder: RunFolder, life: Life, id: ProcessId | undefined): WatchedProcess {
    const made = new WatchedProcess(folder, life, id ?? { pid: 0, start: "" });
    if (id) made.#look();
    else made.#end("it ended while no agent was there");
    return made;
  }

  get pid(): number {
    return this.#id.pid;
  }
  get isAlive(): boolean {
    return this.#how === undefined;
  }

  kill(): void {
    if (this.isAlive) kill(this.#id, "SIGKILL");
  }

  /** It goes on, and its end is no longer looked for. */
  abandon(): void {
    clearTimeout(this.#timer);
  }

  report(): LifeReport {
    return {
      ...this.life,
      pid: this.#id.pid,
      isAlive: this.isAlive,
      how: this.#how ?? "",
      log: this.isAlive ? "" : this.#folder.logText(this.life).slice(-LOG_BYTES_MAX),
      counters: readIfThere(this.#folder.countersOf(this.life)).toString("base64"),
    };
  }

  #look(): void {
    this.#timer = setTimeout(() => {
      if (isAlive(this.#id)) this.#look();
      else this.#end("");
    }, LOOK_MS);
  }

  #end(how: string): void {
    this.#how ??= how;
    this.#whenEnded();
  }
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
