/** Waiting that can be called off. */

/** Rejects with the signal's reason as soon as it is aborted. What was waited for goes on. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((done, fail) => {
    const stop = (): void => fail(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    void promise.then(done, fail).finally(() => signal.removeEventListener("abort", stop));
  });
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
