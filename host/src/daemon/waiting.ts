/** Waiting that can be called off. */
import type { Clock } from "../clock/clock.ts";

/** Rejects with the signal's reason as soon as it is aborted. What was waited for goes on. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((done, fail) => {
    const stop = (): void => fail(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    void promise.then(done, fail).finally(() => signal.removeEventListener("abort", stop));
  });
}

/**
 * `use` with a signal of its own, which is aborted with `signal`, and after so long. Nothing of it stays behind in `signal`, which may live for weeks; what
 * AbortSignal.any makes does, a little each time.
 */
export async function withDeadline<T>(signal: AbortSignal, clock: Clock, ms: number, use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const abort = (): void => own.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const cancel = clock.after(ms, () => own.abort(new DOMException(`nothing for ${ms / 1000} s`, "TimeoutError")));
  try {
    return await use(own.signal);
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
  }
}

/** Whoever waits for a condition looks again whenever something was changed. */
export class Changes {
  #waiting = new Set<() => void>();

  changed(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const look of waiting) look();
  }

  /** Rejects with the signal's reason. */
  async until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isSo()) {
      let look = (): void => undefined;
      const next = new Promise<void>((done) => this.#waiting.add((look = done)));
      await unlessAborted(next, signal).finally(() => this.#waiting.delete(look));
    }
  }
}
