/**
 * One process of a member: started here, or found running. It is in a session of its own, so that neither a terminal nor the end of the supervisor ends it.
 *
 * The end of a child is told by the system at once. That of a process which another supervisor has started is seen when its control connection breaks, and
 * at the latest at the next look.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NfError } from "@nfactor/sdk/errors";
import { nfactordPath } from "../package.ts";
import { MemberClient, type MemberClientOptions } from "./member_client.ts";
import { type MemberHandle, type MemberHandleOptions, whoIs } from "./member_handle.ts";
import { type Life, VSWITCH } from "./membership_events.ts";
import { type ProcessId, isAlive, kill, startOf } from "./process_id.ts";
import { lifeOfSpec } from "./run_folder.ts";

/** How often a process that is no child is looked at, and how often once its connection has broken. */
const LOOK_MS = 250;
const SOON_MS = 5;
/** A process whose connection has closed has ended, as a rule, and is known to have this soon. */
const DYING_MS = 200;
/** For what lies in the socket of a process that has ended. */
const LAST_WORDS_MS = 2_000;
const CONNECT_TRIES = 50;
const CONNECT_EVERY_MS = 100;

export class MemberProcess implements MemberHandle {
  readonly life: Life;
  readonly id: ProcessId;
  client: MemberClient;
  readonly agent = undefined;
  readonly isReachable = true;
  readonly #options: MemberHandleOptions;
  readonly #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasExited = false;
  #whenClosed: (() => void) | undefined;
  #cause: string | undefined;

  private constructor(options: MemberHandleOptions, id: ProcessId, child: ChildProcess | undefined, connect: (client: MemberClientOptions) => MemberClient) {
    this.life = options.life;
    this.id = id;
    this.#options = options;
    this.#child = child;
    this.client = connect(this.#clientOptions());
    if (child) child.once("exit", (code, signal) => this.#exited(signal ?? `exit code ${code}`));
    else this.#look(LOOK_MS);
  }

  /** Rejects with NfError (native.missing, internal) when there is nothing to start, or no process can be made. `standby` was told already what it is. */
  static async spawn(options: MemberHandleOptions, standby?: ChildProcess): Promise<MemberProcess> {
    const child = standby ?? (await MemberProcess.#start(options));
    const pid = child.pid!;
    return new MemberProcess(options, { pid, start: startOf(pid) ?? "" }, child, (client) => new MemberClient(child.stdio[3] as Socket, client));
  }

  static async #start({ folder, life }: MemberHandleOptions): Promise<ChildProcess> {
    const log = openSync(folder.logOf(life), "a", 0o600);
    let child: ChildProcess;
    try {
      const args = [life.member === VSWITCH ? "vswitch" : "runtime", folder.specOf(life)];
      child = spawn(nfactordPath(), args, { detached: true, stdio: ["ignore", log, log, "pipe"] });
    } finally {
      closeSync(log);
    }
    await new Promise<void>((done, fail) => {
      child.once("spawn", done);
      child.once("error", (cause) => fail(new NfError("internal", `no process can be started: ${cause.message}`, { cause })));
    });
    return child;
  }

  /** Connects to one that runs. Rejects with NfError (host.socket) when it does not answer, or ends meanwhile. */
  static async adopt(options: MemberHandleOptions, id: ProcessId): Promise<MemberProcess> {
    for (let i = 1; ; i++) {
      let made: MemberProcess | undefined;
      try {
        const path = options.folder.controlOf(options.life);
        let relay: MemberClientOptions | undefined;
        const client = await MemberClient.connect(path, {
          who: whoIs(options.life, id.pid),
          onEvent: (event) => relay?.onEvent(event),
          onClose: (cause) => relay?.onClose(cause),
        });
        made = new MemberProcess(options, id, undefined, (own) => {
          relay = own;
          return client;
        });
        return made;
      } catch (error) {
        if (i >= CONNECT_TRIES || !isAlive(id)) throw error;
        await new Promise((done) => setTimeout(done, CONNECT_EVERY_MS));
      }
    }
  }

  get who(): string {
    return whoIs(this.life, this.id.pid);
  }

  isHeardOf(): boolean {
    return true;
  }

  kill(): void {
    if (this.#child) this.#child.kill("SIGKILL");
    else kill(this.id, "SIGKILL");
  }

  abandon(): void {
    this.#hasExited = true;
    this.#whenClosed = undefined;
    clearTimeout(this.#timer);
    this.#child?.unref();
    this.client.close();
  }

  #clientOptions(): MemberClientOptions {
    return {
      who: this.who,
      onEvent: (event) => this.#options.onEvent(event),
      // One that does not speak to us any more can only be ended.
      onClose: (cause) => {
        this.#whenClosed?.();
        if (this.#hasExited) return;
        if (cause) {
          this.#cause = cause.format();
          this.kill();
        } else void this.#reconnect();
        if (!this.#child) this.#look(SOON_MS);
      },
    };
  }

  /** One that lives has cut us off, since we have not read for so long that it kept as much for us as it may: it begins anew with whoever connects. */
  async #reconnect(): Promise<void> {
    await sleep(DYING_MS, undefined, { ref: false });
    for (let i = 0; i < CONNECT_TRIES; i++) {
      if (this.#hasExited) return;
      try {
        const client = await MemberClient.connect(this.#options.folder.controlOf(this.life), this.#clientOptions());
        if (this.#hasExited) client.close();
        else this.client = client;
        return;
      } catch {
        await sleep(CONNECT_EVERY_MS, undefined, { ref: false });
      }
    }
    this.#cause = "it has closed its control connection, and takes no other";
    this.kill();
  }

  #look(everyMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#hasExited) return;
      if (!isAlive(this.id)) this.#exited("");
      else this.#look(this.client.isOpen ? LOOK_MS : SOON_MS);
    }, everyMs);
  }

  #exited(how: string): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    clearTimeout(this.#timer);
    // What it has said before it ended may still lie in the socket, whose end comes last.
    const end = (): void => {
      clearTimeout(this.#timer);
      this.#whenClosed = undefined;
      this.client.close();
      this.#options.onExit(this.#cause ?? how);
    };
    if (!this.client.isOpen) {
      setImmediate(end);
      return;
    }
    this.#whenClosed = end;
    this.#timer = setTimeout(end, LAST_WORDS_MS);
  }
}

/** The members' processes whose specification lies in this folder, whoever started them. */
export function findMembers(folder: string): { life: Life; id: ProcessId }[] {
  const found: { life: Life; id: ProcessId }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    let words: string[];
    try {
      words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
    } catch {
      continue;
    }
    const [, word, spec] = words;
    if ((word !== "vswitch" && word !== "runtime") || spec === undefined || dirname(spec) !== folder) continue;
    const life = lifeOfSpec(basename(spec));
    const start = startOf(Number(name));
    if (life && start !== undefined) found.push({ life, id: { pid: Number(name), start } });
  }
  return found;
}
