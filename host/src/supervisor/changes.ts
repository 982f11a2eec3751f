/** Who waits for something to become true looks again after each event. */
export class Changes {
  #waiting: (() => void)[] = [];
  #broken: unknown;

  /** From now on nothing becomes true any more, for this reason; the first one counts. */
  fail(why: unknown): void {
    this.#broken ??= why;
  }

  happened(): void {
    for (const look of this.#waiting.splice(0)) look();
  }

  /** Resolves when `condition` holds. Rejects with why nothing does any more. */
  async until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken;
      if (condition()) return;
      await new Promise<void>((done) => this.#waiting.push(done));
    }
  }
}
