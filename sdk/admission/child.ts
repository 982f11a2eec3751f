/**
 * Admission in a process of its own, that lives for one file: with a limit on its time and memory, without network where the system allows, without
 * the environment of its parent. Whatever a file does to the readers, it does it there. The artifact goes in on stdin, the verdict comes back as
 * JSON on a pipe; nothing else that the process says is believed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { constants, openSync, closeSync, fstatSync, readSync } from "node:fs";
import type { Readable } from "node:stream";
import { LIMITS } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import type { Admission } from "./check.ts";
import { Report, printable } from "./rules.ts";
import { decodeAdmission } from "./verdict.ts";

export interface ChildLimits {
  /** Wall clock, start of the process included; its CPU time is limited to the same. */
  timeMs: number;
  /** What it may allocate. The runtime itself needs about 150 MiB. */
  memoryMb: number;
}

export const CHILD_LIMITS: Readonly<ChildLimits> = { timeMs: 20_000, memoryMb: 768 };

/** A core module in base64, metadata, and some refusals. */
const VERDICT_BYTES_MAX = 4 * LIMITS.component_bytes_max;
const ERROR_TEXT_MAX = 2_000;
const MAIN = new URL("./child_main.mjs", import.meta.url).pathname;

/** Checks a file, or its bytes. Throws NfError when the file cannot be read or the process cannot be started. */
export async function checkInChild(input: string | Uint8Array, limits: Partial<ChildLimits> = {}): Promise<Admission> {
  const { timeMs, memoryMb } = { ...CHILD_LIMITS, ...limits };
  const bytes = typeof input === "string" ? readBounded(input) : input;
  const child = start({ timeMs, memoryMb });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeMs);
  try {
    child.stdin!.on("error", () => undefined).end(bytes);
    const [verdict, said, end] = await Promise.all([
      collect(child.stdio[3] as Readable, VERDICT_BYTES_MAX, child),
      collect(child.stderr!, ERROR_TEXT_MAX),
      ended(child),
    ]);
    if (timedOut) return refuse("time", `the check did not end within ${timeMs} ms`, `${timeMs} ms`);
    if (end.signal === "SIGXCPU") return refuse("CPU time", `the check used more CPU time than ${timeMs} ms`, `${timeMs} ms`);
    if (end.code === 0) return decodeAdmission(verdict.toString("utf8"));
    // Ended by V8 or the system for want of memory: abort, segmentation fault, or an allocation that failed.
    if (end.signal !== null || /out of memory|allocation failed|cannot allocate|RangeError/i.test(said.toString("utf8"))) {
      return refuse("memory", `the check ended by ${end.signal ?? "a failed allocation"} within ${memoryMb} MiB`, `${memoryMb} MiB`);
    }
    throw new Error(`the checking process ended with code ${end.code}: ${printable(said.toString("utf8"), ERROR_TEXT_MAX)}`);
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
  }
}

function refuse(value: string, message: string, limit: string): Admission {
  const report = new Report();
  report.refuse("check_limits", value, message, limit);
  return { ok: false, refusals: report.refusals, hidden: 0, measured: {} };
}

/** At most one byte more than an artifact may have: that is enough to be refused. */
function readBounded(path: string): Uint8Array {
  let fd: number | undefined;
  try {
    // Not blocking: opening a pipe that nobody writes to would wait for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) throw new Error("it is no file");
    const buffer = Buffer.alloc(LIMITS.component_bytes_max + 1);
    let length = 0;
    for (let n = 1; n > 0 && length < buffer.length; length += n) n = readSync(fd, buffer, length, buffer.length - length, null);
    return buffer.subarray(0, length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NfError("nf.not_found", `${path} cannot be read: ${reason}`, { cause, fix: "Give the path of a .wasm file that 'nfactor build' wrote." });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function start({ timeMs, memoryMb }: ChildLimits): ChildProcess {
  const node = [process.execPath, `--max-old-space-size=${memoryMb}`, "--stack-size=900", MAIN];
  // The shell sets the limits and becomes Node: CPU seconds, memory (KiB), no core file, files of at most 32 MiB.
  const limited = [
    "/bin/sh",
    "-c",
    `ulimit -t ${Math.ceil(timeMs / 1000)} && ulimit -d ${memoryMb * 1024} && ulimit -c 0 && ulimit -f 65536 && exec "$@"`,
    "sh",
    ...node,
  ];
  const [command, ...args] = [...isolation(), ...limited];
  const env = { PATH: process.env.PATH ?? "/usr/bin:/bin", NODE_NO_WARNINGS: "1" };
  try {
    return spawn(command!, args, { cwd: "/", env, stdio: ["pipe", "ignore", "pipe", "pipe"] });
  } catch (cause) {
    throw new NfError("admission.timeout", "the checking process cannot be started", { cause, fix: "Is there memory left for another process?" });
  }
}

let isolated: string[] | undefined;

/** The command that starts another one in a network namespace of its own; nothing where the system does not allow that. */
function isolation(): string[] {
  const ways = process.getuid?.() === 0 ? [["unshare", "--net", "--"]] : [["unshare", "--map-root-user", "--net", "--"]];
  return (isolated ??= ways.find(([command, ...args]) => spawnSync(command!, [...args, "true"], { stdio: "ignore", timeout: 5_000 }).status === 0) ?? []);
}

/** Reads a stream to its end; beyond `max` bytes the rest is dropped, or `offender` ended. */
async function collect(stream: Readable, max: number, offender?: ChildProcess): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (bytes < max) chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > max) offender?.kill("SIGKILL");
  }
  return Buffer.concat(chunks).subarray(0, max);
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new NfError("admission.timeout", "the checking process cannot be started", { cause, fix: "Is there memory left for another process?" })),
    );
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}
