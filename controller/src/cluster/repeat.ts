import type { Clock } from "@nfactor/host/clock";

/** Calls again and again, each time so long after the last call has ended, until the returned function is called. The call does not throw. */
export function repeat(clock: Clock, everyMs: number, call: () => Promise<void> | void): () => void {
  let isOver = false;
  let cancel = (): void => undefined;
  const next = (): void => {
    if (isOver) return;
    cancel = clock.after(everyMs, () => {
      void Promise.resolve(call()).finally(next);
    });
  };
  next();
  return () => {
    isOver = true;
    cancel();
  };
}

/** Resolves after so long, or as soon as the signal is aborted. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const over = (): void => {
      cancel();
      signal.removeEventListener("abort", over);
      done();
    };
    const cancel = clock.after(ms, over);
    signal.addEventListener("abort", over, { once: true });
    if (signal.aborted) over();
  });
}
