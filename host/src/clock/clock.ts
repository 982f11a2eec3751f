/** The time of leases, deadlines and heartbeats: milliseconds that only go forward, whatever is done to the machine's date. Tests bring their own. */
export interface Clock {
  nowMs(): number;
  /** Calls once, unless the returned function is called before. Does not keep the process alive. */
  after(ms: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** µs, the same in all processes of a machine: whoever takes a process's place goes on where it was. `performance.now()` begins anew with each. */
export const machineUs = (): number => Number(process.hrtime.bigint() / 1000n);
