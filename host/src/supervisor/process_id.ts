/** Processes by their id and the time of their start: the id alone may be another's by the time it is used. Linux. */
import { readFileSync } from "node:fs";

export interface ProcessId {
  pid: number;
  /** Clock ticks after boot. */
  start: string;
}

/** Undefined when no such process lives; one that waits to be reaped does not. */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, start }: ProcessId): boolean {
  return startOf(pid) === start;
}

/** Sends nothing to a process that is another by now. */
export function kill(process_: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(process_)) return;
  try {
    process.kill(process_.pid, signal);
  } catch {
    // It has ended just now.
  }
}
