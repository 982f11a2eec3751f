/** What a host says of its machine. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { writeDurably } from "../durable_file.ts";
import { readKey } from "../supervisor/agent_tls.ts";

const INTERFACES = "/sys/class/net";
const INTERFACES_MAX = 256;
const MIB = 1 << 20;
/** Runtimes wait for packets without a CPU, but not without memory. */
const RUNTIMES_PER_CPU = 4;
const RUNTIME_MB = 256;

export function memoryMb(): number {
  return Math.floor(totalmem() / MIB);
}

/** Runtimes at once, where the operator has not said how many. */
export function defaultRoom(): number {
  return Math.max(2, Math.min(RUNTIMES_PER_CPU * availableParallelism(), Math.floor(memoryMb() / RUNTIME_MB)));
}

/** But the machine's own. */
export function interfaces(): string[] {
  if (!existsSync(INTERFACES)) return [];
  const isInterface = (name: string): boolean => name !== "lo" && statSync(join(INTERFACES, name), { throwIfNoEntry: false })?.isDirectory() === true;
  return readdirSync(INTERFACES).filter(isInterface).sort().slice(0, INTERFACES_MAX);
}

/** The key at `path`, made when there is none. Throws NfError (usage). */
export function agentKey(path: string): Buffer {
  if (!existsSync(path)) writeDurably(path, `${randomBytes(32).toString("hex")}\n`);
  return readKey(path);
}
