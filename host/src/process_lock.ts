/** A file that says which process has something: by its id and the time of its start, so that one that was killed does not hold it. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type ProcessId, isAlive, startOf } from "./supervisor/process_id.ts";

/** Who has it; undefined when this process has it from now on. Throws what the file system does. */
export function takeLock(path: string): ProcessId | undefined {
  const temporary = `${path}.${process.pid}`;
  const mine: ProcessId = { pid: process.pid, start: startOf(process.pid) ?? "" };
  writeFileSync(temporary, JSON.stringify(mine), { mode: 0o600 });
  try {
    linkSync(temporary, path);
  } catch {
    const holder = readLock(path);
    if (holder && isAlive(holder)) return holder;
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  // Of two that find the lock of a dead one, the last has it.
  const now = readLock(path);
  return now?.pid === mine.pid && now.start === mine.start ? undefined : (now ?? mine);
}

function readLock(path: string): ProcessId | undefined {
  try {
    const { pid, start } = JSON.parse(readFileSync(path, "utf8")) as Partial<ProcessId>;
    return typeof pid === "number" && typeof start === "string" ? { pid, start } : undefined;
  } catch {
    return undefined;
  }
}
