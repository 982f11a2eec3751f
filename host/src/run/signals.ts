/**
 * Ctrl-C, SIGTERM and SIGHUP during a run: the first asks for a graceful stop, a second one ends the process as soon as `abort` is through, a third one at once.
 */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Calls `leave` at each SIGUSR2: the dataplane's processes are to go on without us. Returns how to give the signal back. */
export function onLeaveSignal(leave: () => void): () => void {
  process.on("SIGUSR2", leave);
  return () => void process.off("SIGUSR2", leave);
}

/** Calls `stop` at the first signal, `abort` at the second. Returns how to give the signals back. */
export function onStopSignals(stop: (signal: string) => void, abort: () => Promise<void> | void): () => void {
  let asked = 0;
  const exit = (): void => process.exit(130);
  const handler = (signal: NodeJS.Signals): void => {
    asked += 1;
    if (asked === 1) stop(signal);
    else if (asked > 2) exit();
    else Promise.resolve(abort()).then(exit, exit);
  };
  for (const signal of SIGNALS) process.on(signal, handler);
  return () => {
    for (const signal of SIGNALS) process.off(signal, handler);
  };
}
