/** A member's process as a supervisor deals with it, on this machine (member_process.ts) or at an agent (remote_process.ts). */
import type { MemberClient, MemberClientOptions } from "./member_client.ts";
import type { Life } from "./membership_events.ts";
import { VSWITCH } from "./membership_events.ts";
import type { RunFolder } from "./run_folder.ts";

export interface MemberHandle {
  readonly life: Life;
  readonly id: { pid: number };
  /** As messages name it. */
  readonly who: string;
  /** Another one after each time that the process could not be reached; undefined until the first. */
  readonly client: MemberClient | undefined;
  /** Where it runs: undefined on this machine. */
  readonly agent: string | undefined;
  /** Of a process elsewhere: whether it can be spoken to, killed, and heard of. */
  readonly isReachable: boolean;
  /** Whether its counters are newer than when this was asked last. */
  isHeardOf(): boolean;
  kill(): void;
  /** The process goes on, and its end is nobody's business any more. */
  abandon(): void;
}

export interface MemberHandleOptions {
  folder: RunFolder;
  life: Life;
  onEvent: MemberClientOptions["onEvent"];
  /** Once. `how` is as messages say it: "exit code 1", "SIGKILL", "", or why it was ended. */
  onExit(how: string): void;
}

export function whoIs({ member }: Life, pid: number, agent?: string): string {
  return `${member === VSWITCH ? "the vswitch" : `runtime ${member}`} (pid ${pid}${agent === undefined ? "" : ` at ${agent}`})`;
}
