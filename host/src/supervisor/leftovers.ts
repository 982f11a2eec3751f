/** Processes of a host without a supervisor: one that was killed has left them at work. */
import { NfError } from "@nfactor/sdk/errors";
import { EXIT_MS } from "./deadlines.ts";
import { whoIs } from "./member_handle.ts";
import { findMembers } from "./member_process.ts";
import { type ProcessId, isAlive, kill } from "./process_id.ts";
import { RunFolder } from "./run_folder.ts";

const LOOK_MS = 10;

/** Throws NfError (host.socket) when processes of a host of this name run, which would be in the way of one that has none. */
export function refuseLeftovers(name: string): void {
  const members = findMembers(RunFolder.pathOf(name));
  if (members.length === 0) return;
  const pids = members.map(({ id }) => id.pid).join(" ");
  throw new NfError("host.socket", `processes of host '${name}' still run: ${members.map(({ life, id }) => whoIs(life, id.pid)).join(", ")}`, {
    fix: `Take them over with --processes and the settings that they were started with; or end them with 'kill ${pids}', or use another --name.`,
  });
}

/**
 * Kills all processes of the folder, and returns when they are dead: until then they hold ports and memory, and may write to the folder. Blocks, so that
 * nothing is begun meanwhile; whom the kernel still has in hand after EXIT_MS is left to it.
 */
export function killMembers(path: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  // One that is dying has no name any more by which it would be found again.
  const killed = new Map<number, ProcessId>();
  for (const end = performance.now() + EXIT_MS; performance.now() < end; Atomics.wait(clock, 0, 0, LOOK_MS)) {
    for (const { id } of findMembers(path)) {
      killed.set(id.pid, id);
      kill(id, "SIGKILL");
    }
    if (![...killed.values()].some(isAlive)) return;
  }
}

/** Ends all processes of the folder at once, and removes it. */
export function endProcesses(folder: RunFolder): void {
  killMembers(folder.path);
  folder.remove();
}
