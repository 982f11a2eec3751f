/**
 * Tasks that go on in turns: one at a time, each as far as its next turn(), the next one chosen by a seed. What they do in between may take real time; nothing
 * else goes on meanwhile, so that the same seed makes the same history. A crash is that nobody gets a turn any more.
 */
import { setImmediate } from "node:timers/promises";
import type { Store } from "../../store/index.ts";
import type { Random } from "../../store/testing/steps.ts";

export class Interleaving {
  readonly #random: Random;
  #waiting: (() => void)[] = [];
  #moving = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Until somebody is chosen. */
  readonly turn = async (): Promise<void> => {
    this.#moving -= 1;
    await new Promise<void>((go) => this.#waiting.push(go));
  };

  /** Begins a task, which goes as far as its first turn. */
  async begin(task: () => Promise<void>): Promise<void> {
    this.#moving += 1;
    void task()
      .catch((error: unknown) => (this.#failure ??= { error }))
      .finally(() => (this.#moving -= 1));
    await this.#rest();
  }

  /** Lets one of those who wait go on. Throws what a task threw. */
  async step(): Promise<void> {
    const [go] = this.#waiting.splice(this.#random.below(this.#waiting.length), 1);
    this.#moving += 1;
    go!();
    await this.#rest();
  }

  /** Those who wait do so for ever. */
  crash(): void {
    this.#waiting = [];
  }

  async #rest(): Promise<void> {
    while (this.#moving > 0) await setImmediate();
    if (this.#failure) throw this.#failure.error;
  }
}

/** The same store, with a turn before and after everything that is done with it. */
export function inTurns(store: Store, turn: () => Promise<void>): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name, target) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        await turn();
        const result = await member.apply(target, args);
        await turn();
        return result;
      };
    },
  });
}
