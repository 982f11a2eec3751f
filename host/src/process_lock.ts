/** A file that says which process has something: by its id and the time of its start, so that one that was killed does not hold it. */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type ProcessId, isAlive, startOf } from "./supervisor/process_id.ts";

/** Processes that died one after the other while they were taking over from a dead one. */
const DEPTH_MAX = 8;

/** Who has it; undefined when this process has it from now on. Throws what the file system does. */
export function takeLock(path: string, depth = 0): ProcessId | undefined {
  const temporary = `${path}.${process.pid}.new`;
  const mine: ProcessId = { pid: process.pid, start: startOf(process.pid) ?? "" };
  writeFileSync(temporary, JSON.stringify(mine), { mode: 0o600 });
  try {
    if (hasLinked(temporary, path)) return undefined;
    const holder = readLock(path);
    if (isHeld(holder)) return holder;
    if (depth >= DEPTH_MAX) throw new Error(`${path} and its like were left by processes that have died: remove them`);
    // Of those that find the lock of a dead one, one at a time may remove it: another would remove that of whoever has it by then.
    const taking = `${path}.taking`;
    const taker = takeLock(taking, depth + 1);
    if (taker) return taker;
    try {
      const now = readLock(path);
      if (isHeld(now)) return now;
      if (now !== "none") rmSync(path);
      if (hasLinked(temporary, path)) return undefined;
      const quicker = readLock(path);
      return isHeld(quicker) ? quicker : mine;
    } finally {
      rmSync(taking, { force: true });
    }
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** False when there is such a file. */
function hasLinked(file: string, path: string): boolean {
  try {
    linkSync(file, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function isHeld(lock: ProcessId | "none" | "damaged"): lock is ProcessId {
  return typeof lock === "object" && isAlive(lock);
}

function readLock(path: string): ProcessId | "none" | "damaged" {
  try {
    const { pid, start } = JSON.parse(readFileSync(path, "utf8")) as Partial<ProcessId>;
    return typeof pid === "number" && typeof start === "string" ? { pid, start } : "damaged";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "none" : "damaged";
  }
}
