/**
 * The process that runs a deployment, `nfactor run --processes`: a supervisor with a control socket. It is in a session of its own and writes to files, so
 * that it goes on without the daemon; the next daemon finds it by its control socket. Its dataplane's processes go on without it in turn.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import type { Clock } from "../clock/clock.ts";
import { NFACTOR } from "../package.ts";
import { type RunResult, runResultSchema } from "../result/run_result.ts";
import { safeText } from "../result/text.ts";
import { withClient } from "../rpc/client.ts";
import { errorOfPeer, peerErrorSchema } from "../rpc/peer_error.ts";
import { answers } from "../rpc/private_socket.ts";
import { existingSockets, socketFolders } from "../rpc/socket_path.ts";
import { tolerant } from "../rpc/tolerant.ts";
import { endProcesses } from "../supervisor/leftovers.ts";
import { findMembers } from "../supervisor/member_process.ts";
import { type ProcessId, isAlive, kill, startOf } from "../supervisor/process_id.ts";
import { RunFolder } from "../supervisor/run_folder.ts";
import type { DeploymentFolder } from "./state_folder.ts";

/** Of a process that is nobody's child. */
const LOOK_MS = 100;
const INFO_MS = 5_000;
const OUTPUT_BYTES_READ = 1 << 20;
const LOG_BYTES_READ = 16_384;

export interface Child {
  readonly id: ProcessId;
  /** Where its control socket is, or will be. */
  readonly socket: string;
  /** Resolves when it has ended, with what it has said of that. Never, once it was abandoned. */
  readonly ended: Promise<NfError>;
  signal(signal: "SIGTERM" | "SIGKILL"): void;
  /** It goes on without us. */
  abandon(): void;
}

/** Where children come from; tests have their own. */
export interface Children {
  /** Runs what its folder's nfactor.yaml says. Throws NfError. */
  start(run: string, folder: DeploymentFolder): Child;
  /** One that runs already. Rejects with NfError (host.settings) when it is not this folder's: another daemon's, or started by hand. */
  find(run: string, folder: DeploymentFolder): Promise<Child | undefined>;
  /** The dataplane's processes, with or without a supervisor. */
  hasProcesses(run: string): boolean;
  /** Ends those that have none. */
  endProcesses(run: string): void;
}

export class RunChildren implements Children {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(run: string, folder: DeploymentFolder): Child {
    const [output, log] = [openSync(folder.output, "w", 0o600), openSync(folder.log, "a", 0o600)];
    try {
      const args = ["run", "--config", folder.runFile, "--name", run, "--flows", "0", "--quiet", "--json"];
      const child = spawn(process.execPath, [NFACTOR, ...args], { cwd: folder.path, detached: true, stdio: ["ignore", output, log] });
      return new OwnChild(child, join(socketFolders()[0]!, `${run}.sock`), folder);
    } finally {
      closeSync(output);
      closeSync(log);
    }
  }

  async find(run: string, folder: DeploymentFolder): Promise<Child | undefined> {
    const socket = existingSockets().get(run);
    if (socket !== undefined && (await answers(socket))) {
      const { pid } = await withClient(socket, (client) => client.call("info", {}, INFO_MS));
      const start = startOf(pid);
      if (start !== undefined) {
        requireOwn(pid, run, folder);
        return new FoundChild({ pid, start }, socket, folder, this.#clock);
      }
    }
    // It is starting, and has no socket yet.
    const record = folder.readChild();
    if (!record || !isAlive(record)) return undefined;
    return new FoundChild(record, join(socketFolders()[0]!, `${run}.sock`), folder, this.#clock);
  }

  hasProcesses(run: string): boolean {
    return findMembers(RunFolder.pathOf(run)).length > 0;
  }

  endProcesses(run: string): void {
    const folder = RunFolder.hold(run);
    endProcesses(folder);
  }
}

/**
 * Names of runs are the machine's, and state folders are not: a second daemon may be asked for a deployment of the same name. Throws NfError (host.settings)
 * unless the process runs what this folder says.
 */
export function requireOwn(pid: number, run: string, folder: DeploymentFolder): void {
  const file = configOf(pid);
  if (file !== undefined && placeOf(dirname(file)) === placeOf(folder.path)) return;
  throw new NfError("host.settings", `'${run}' runs already on this machine, and is not of this host daemon: process ${pid} runs it`, {
    ...(file === undefined ? {} : { given: `${file}; here it is ${folder.runFile}` }),
    fix: "Choose another name for the deployment, end what runs, or start the daemon with the --state that it has.",
  });
}

/** The file that a supervisor was started with. */
function configOf(pid: number): string | undefined {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const at = args.indexOf("--config");
    return at < 0 ? undefined : args[at + 1];
  } catch {
    return undefined;
  }
}

function placeOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

class OwnChild implements Child {
  readonly id: ProcessId;
  readonly socket: string;
  readonly ended: Promise<NfError>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, socket: string, folder: DeploymentFolder) {
    this.#child = child;
    this.socket = socket;
    this.id = { pid: child.pid ?? 0, start: (child.pid === undefined ? undefined : startOf(child.pid)) ?? "" };
    this.ended = new Promise((done) => {
      child.once("error", (cause) => done(new NfError("host.not_running", `nfactor cannot be started: ${cause.message}`, { cause })));
      child.once("exit", (code, signal) => done(lastWords(folder, signal === null ? `with exit code ${code}` : `by ${signal}`)));
    });
    child.unref();
  }

  signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(signal);
  }

  abandon(): void {
    this.#child.removeAllListeners().on("error", () => undefined);
  }
}

class FoundChild implements Child {
  readonly id: ProcessId;
  readonly socket: string;
  readonly ended: Promise<NfError>;
  #cancel: () => void = () => undefined;

  constructor(id: ProcessId, socket: string, folder: DeploymentFolder, clock: Clock) {
    this.id = id;
    this.socket = socket;
    this.ended = new Promise((done) => {
      const look = (): void => {
        if (isAlive(id)) this.#cancel = clock.after(LOOK_MS, look);
        else done(lastWords(folder, "without a sign"));
      };
      look();
    });
  }

  signal(signal: "SIGTERM" | "SIGKILL"): void {
    kill(this.id, signal);
  }

  abandon(): void {
    this.#cancel();
  }
}

/** With --json the last thing on stdout is a result or an error. Undefined: it had no time to say anything. */
function lastOutput(folder: DeploymentFolder): unknown {
  try {
    return JSON.parse(endOf(folder.output, OUTPUT_BYTES_READ).trim().split("\n").at(-1) ?? "");
  } catch {
    return undefined;
  }
}

/** What became of its packets, when it has ended in order. */
export function finalPackets(folder: DeploymentFolder): RunResult["packets"] | undefined {
  const read = tolerant(runResultSchema).safeParse(lastOutput(folder));
  return read.success ? read.data.packets : undefined;
}

function lastWords(folder: DeploymentFolder, how: string): NfError {
  const read = peerErrorSchema.safeParse((lastOutput(folder) as { error?: unknown } | undefined)?.error);
  if (read.success) return errorOfPeer(read.data);
  const log = endOf(folder.log, LOG_BYTES_READ).trim().split("\n").at(-1) ?? "";
  return new NfError("host.not_running", `its supervisor has ended ${how}`, {
    ...(log === "" ? {} : { given: `the last that it said: ${safeText(log, 300)}` }),
    fix: `See ${folder.log}.`,
  });
}

function endOf(path: string, bytes: number): string {
  try {
    return readFileSync(path).subarray(-bytes).toString("utf8");
  } catch {
    return "";
  }
}
