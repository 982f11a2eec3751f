/** CPU time and memory of processes, as the kernel counts them. Linux. */
import { readFileSync, readdirSync } from "node:fs";

/** Nanoseconds that a thread has had a CPU: the first field of /proc/<pid>/task/<tid>/schedstat. */
export function cpuNsOf(schedstat: string): number {
  return Number(/^(\d+) /.exec(schedstat)?.[1] ?? Number.NaN);
}

/** Resident bytes: VmRSS of /proc/<pid>/status, or Pss of its smaps_rollup, which has the process's share of what it shares. */
export function kibibytesOf(text: string, field: "VmRSS" | "Pss"): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN) * 1024;
}

/** Of all its threads; 0 of one that has ended. */
export function cpuNs(pid: number): number {
  let sum = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) sum += cpuNsOf(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1"));
  } catch {
    // It has ended, or a thread of it.
  }
  return sum;
}

export function residentMib(pid: number): number {
  return kibibytesOf(readFileSync(`/proc/${pid}/status`, "latin1"), "VmRSS") / (1 << 20);
}

export function proportionalMib(pid: number): number {
  return kibibytesOf(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"), "Pss") / (1 << 20);
}

/** Percent of one core that they take together over so long. */
export async function cpuShare(groups: Readonly<Record<string, readonly number[]>>, ms: number): Promise<Record<string, number>> {
  const sum = (): Record<string, number> =>
    Object.fromEntries(Object.entries(groups).map(([name, pids]) => [name, pids.reduce((total, pid) => total + cpuNs(pid), 0)]));
  const [before, from] = [sum(), performance.now()];
  await new Promise((done) => setTimeout(done, ms));
  const [after, passedNs] = [sum(), (performance.now() - from) * 1e6];
  return Object.fromEntries(Object.entries(after).map(([name, ns]) => [name, (100 * (ns - before[name]!)) / passedNs]));
}
