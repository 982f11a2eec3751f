/** What a supervisor is started with. */
import type { NativeEvent } from "../dataplane/native_types.ts";
import type { RunFolder } from "./run_folder.ts";
import type { Standby } from "./standby.ts";
import type { Supervisor } from "./supervisor.ts";
import type { TenantSpec } from "./tenant_spec.ts";

export interface SupervisorOptions {
  folder: RunFolder;
  spec: TenantSpec;
  runtimes: number;
  /** Of a first start: nothing runs, and nothing else is in the folder. */
  standby?: Standby | undefined;
  onEvent(event: NativeEvent, member: number): void;
  /** A member's process has ended and nobody wanted it to. */
  onDeath(member: number): void;
  /** One that could not be asked for a while does not run what is wanted. */
  onStale(): void;
  /** Tells the person at the host's terminal. */
  say(text: string): void;
  /** As soon as there is one, and before it has started anything. */
  onMade?: ((supervisor: Supervisor) => void) | undefined;
}
