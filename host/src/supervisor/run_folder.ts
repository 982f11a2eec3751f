/**
 * <name>.run beside the control socket: what has to outlive the supervisor of a tenant. Its state, written as a whole and forced to disk before anything is
 * done that depends on it; and of each life its specification, control socket, links, counter file and log.
 *
 * Whoever holds the lock is the supervisor. It names a process by its id and the time of its start, so that one that was killed does not hold it.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { writeDurably } from "../durable_file.ts";
import { takeLock } from "../process_lock.ts";
import { checkFolder, prepareFolder, requireSocketPath } from "../rpc/socket_path.ts";
import type { Life } from "./membership_events.ts";

const STATE = "state.json";
const LOCK = "lock";
const LOG_BYTES_READ = 16_384;
const BYTES_FILE = /^[0-9a-f]{64}\.bin$/;

/** A supervisor's, or that of an agent, which keeps processes for a supervisor elsewhere. */
export type RunFolderKind = "run" | "agent";

export class RunFolder {
  readonly name: string;
  readonly path: string;
  #locked = false;

  private constructor(name: string, path: string) {
    this.name = name;
    this.path = path;
  }

  /** Where the folder of this host is, whether it is there or not: always by the same name, which processes are found by. Throws NfError (usage, host.socket). */
  static pathOf(name: string, env: NodeJS.ProcessEnv = process.env, kind: RunFolderKind = "run"): string {
    return join(realpathSync(prepareFolder(name, env)), `${name}.${kind}`);
  }

  /** Makes it, or finds it, and holds its lock. Throws NfError (usage, host.socket), also when another supervisor has it. */
  static hold(name: string, env: NodeJS.ProcessEnv = process.env, kind: RunFolderKind = "run"): RunFolder {
    const path = RunFolder.pathOf(name, env, kind);
    requireSocketPath(join(path, "m15.4294967295-4294967295.link.bell"));
    mkdirSync(path, { mode: 0o700, recursive: true });
    checkFolder(path);
    const folder = new RunFolder(name, path);
    folder.#lock(kind === "run" ? "supervisor" : "agent");
    return folder;
  }

  #lock(who: string): void {
    const holder = takeLock(join(this.path, LOCK));
    if (holder)
      throw new NfError("host.socket", `another ${who} (pid ${holder.pid}) runs the processes of host '${this.name}'`, {
        fix: "Give this one another name with --name.",
      });
    this.#locked = true;
  }

  specOf(life: Life): string {
    return join(this.path, `${lifeName(life)}.spec.json`);
  }
  controlOf(life: Life): string {
    return join(this.path, `${lifeName(life)}.control`);
  }
  countersOf(life: Life): string {
    return join(this.path, `${lifeName(life)}.counters`);
  }
  logOf(life: Life): string {
    return join(this.path, `${lifeName(life)}.log`);
  }
  /** Of a process that waits to be a member. */
  standbyLog(number: number): string {
    return join(this.path, `standby.${number}.log`);
  }
  /** Of one life of a runtime to one life of the vswitch. */
  linkOf(runtime: Life, vswitch: number): string {
    return join(this.path, `${lifeName(runtime)}-${vswitch}.link`);
  }

  writeSpec(life: Life, spec: object): string {
    const path = this.specOf(life);
    writeFileSync(path, JSON.stringify(spec), { mode: 0o600 });
    return path;
  }

  /** Of a life elsewhere, as it is known here. */
  writeCounters(life: Life, bytes: Uint8Array): void {
    writeWhole(this.countersOf(life), bytes);
  }
  writeLog(life: Life, text: string): void {
    writeFileSync(this.logOf(life), text, { mode: 0o600 });
  }

  /** A file with these bytes, named by them. */
  keepBytes(bytes: Uint8Array): string {
    const path = this.bytesOf(sha256Of(bytes));
    if (!existsSync(path) || statSync(path).size !== bytes.length) writeWhole(path, bytes);
    return path;
  }
  /** All other files that are named by their bytes go. */
  keepOnlyBytes(wanted: readonly Uint8Array[]): void {
    const kept = new Set(wanted.map((bytes) => `${sha256Of(bytes)}.bin`));
    for (const file of readdirSync(this.path)) if (BYTES_FILE.test(file) && !kept.has(file)) rmSync(join(this.path, file), { force: true });
  }
  /** It is wanted again, so others go before it. Throws when there is none. */
  touchBytes(sha256: string): void {
    const now = new Date();
    utimesSync(this.bytesOf(sha256), now, now);
  }
  /** Of the files that are named by their bytes the last `most` that were wanted stay. Nothing is done by who has let go of the folder: it is another one's. */
  keepLastBytes(most: number): void {
    if (!this.#locked) return;
    const files = readdirSync(this.path).filter((file) => BYTES_FILE.test(file));
    if (files.length <= most) return;
    const wanted = files.map((file) => ({ path: join(this.path, file), ms: statSync(join(this.path, file)).mtimeMs })).sort((a, b) => b.ms - a.ms);
    for (const { path } of wanted.slice(most)) rmSync(path, { force: true });
  }
  bytesOf(sha256: string): string {
    return join(this.path, `${sha256}.bin`);
  }

  /** The end of what the process has printed. */
  logText(life: Life): string {
    try {
      return readFileSync(this.logOf(life), "utf8").slice(-LOG_BYTES_READ).trim();
    } catch {
      return "";
    }
  }

  /** What belongs to a life that has ended and is in the books. */
  forget(life: Life): void {
    const prefix = `${lifeName(life)}.`;
    const link = `${lifeName(life)}-`;
    for (const file of readdirSync(this.path)) if (file.startsWith(prefix) || file.startsWith(link)) rmSync(join(this.path, file), { force: true });
  }

  /** Text of the state, undefined when there is none. */
  readState(): string | undefined {
    const path = join(this.path, STATE);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  /** On disk, whole, when this returns. */
  writeState(text: string): void {
    writeDurably(join(this.path, STATE), text);
  }

  /** All but the lock. */
  clear(): void {
    for (const file of readdirSync(this.path)) if (!file.startsWith(LOCK)) rmSync(join(this.path, file), { recursive: true, force: true });
  }

  /** Lets go of it. What runs stays for the next one; where nothing was started, nothing stays. */
  release(): void {
    if (!this.#locked) return;
    if (!existsSync(join(this.path, STATE))) this.remove();
    else this.unlock();
    this.#locked = false;
  }

  /** What is in it stays for the next one. */
  unlock(): void {
    rmSync(join(this.path, LOCK), { force: true });
    this.#locked = false;
  }

  /** With all that is in it: nobody lives any more. */
  remove(): void {
    this.#locked = false;
    rmSync(this.path, { recursive: true, force: true });
  }
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function writeWhole(path: string, bytes: Uint8Array): void {
  writeFileSync(`${path}.new`, bytes, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export const lifeName = ({ member, incarnation }: Life): string => `m${member}.${incarnation}`;

/** The life whose specification this is. */
export function lifeOfSpec(file: string): Life | undefined {
  const match = /^m(\d{1,2})\.(\d{1,10})\.spec\.json$/.exec(file);
  return match ? { member: Number(match[1]), incarnation: Number(match[2]) } : undefined;
}
