// The NF's own counters, named in nf.yaml (`counters: [...]`); the host adds them up over instances.
import { COUNTERS_ADDRESS, COUNTERS_MAX } from "./abi";

@unmanaged
@final
export class Counter {
  @inline add(n: u64): void {
    store<u64>(changetype<usize>(this), load<u64>(changetype<usize>(this)) + n);
  }
  @inline get value(): u64 {
    return load<u64>(changetype<usize>(this));
  }
}

/** Counter i, 0 to 63. */
// @ts-ignore: decorator
@inline
export function counter(i: u32): Counter {
  if (i >= COUNTERS_MAX) throw new RangeError("counter: the index is above 63");
  return changetype<Counter>(COUNTERS_ADDRESS + ((<usize>i) << 3));
}
