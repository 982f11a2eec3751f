/** Processes of a host without a supervisor: one that was killed has left them at work. */
import { NfError } from "@nfactor/sdk/errors";
import { whoIs } from "./member_handle.ts";
import { findMembers } from "./member_process.ts";
import { kill } from "./process_id.ts";
import { RunFolder } from "./run_folder.ts";

/** Throws NfError (host.socket) when processes of a host of this name run, which would be in the way of one that has none. */
export function refuseLeftovers(name: string): void {
  const members = findMembers(RunFolder.pathOf(name));
  if (members.length === 0) return;
  const pids = members.map(({ id }) => id.pid).join(" ");
  throw new NfError("host.socket", `processes of host '${name}' still run: ${members.map(({ life, id }) => whoIs(life, id.pid)).join(", ")}`, {
    fix: `Take them over with --processes and the settings that they were started with; or end them with 'kill ${pids}', or use another --name.`,
  });
}

/** Ends all processes of the folder at once, and removes it. */
export function endProcesses(folder: RunFolder): void {
  for (const { id } of findMembers(folder.path)) kill(id, "SIGKILL");
  folder.remove();
}
