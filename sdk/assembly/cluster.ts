// The runtimes of the tenant, as migrationTarget is shown them: `cluster` is the address of n of them, in order of their numbers. What is read here
// holds during that call.
import { RUNTIME_RECORD_BYTES, RuntimeFlag, RuntimeRecord } from "./abi";

@unmanaged
@final
export class RuntimeInfo {
  // prettier-ignore
  @inline private get record(): RuntimeRecord { return changetype<RuntimeRecord>(this); }

  /** What migrationTarget returns for it; from 1. */
  @inline get number(): u32 {
    return this.record.runtime;
  }
  @inline get flows(): u32 {
    return this.record.flows;
  }
  /** How much of its thread's time it worked, lately: 0 to 1000. */
  @inline get loadPermille(): u32 {
    return <u32>this.record.load_permille;
  }
  /** This one: it has the flow. */
  @inline get isOwn(): bool {
    return ((<u32>this.record.flags) & (<u32>RuntimeFlag.OWN)) != 0;
  }
  /** It is being emptied, and takes no flows. */
  @inline get isDraining(): bool {
    return ((<u32>this.record.flags) & (<u32>RuntimeFlag.DRAINING)) != 0;
  }
}

/** Runtime i of the n, from 0. */
// @ts-ignore: decorator
@inline
export function runtimeAt(cluster: u32, i: u32): RuntimeInfo {
  return changetype<RuntimeInfo>(<usize>(cluster + i * RUNTIME_RECORD_BYTES));
}

/** The one that asks. */
export function ownRuntime(cluster: u32, n: u32): RuntimeInfo {
  for (let i: u32 = 0; i < n; i++) {
    const one = runtimeAt(cluster, i);
    if (one.isOwn) return one;
  }
  throw new Error("only migrationTarget has a cluster");
}

/** The one with the least load, by flows where loads are equal, of those that take flows: its own number means stay. */
export function leastLoaded(cluster: u32, n: u32): RuntimeInfo {
  let best = ownRuntime(cluster, n);
  for (let i: u32 = 0; i < n; i++) {
    const one = runtimeAt(cluster, i);
    if (one.isDraining) continue;
    if (one.loadPermille < best.loadPermille || (one.loadPermille == best.loadPermille && one.flows < best.flows)) best = one;
  }
  return best;
}
