/** Random numbers from a seed, the same on every machine, and the distributions that traffic has. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  }

  /** 0 to n − 1. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** Mean 0, deviation 1. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** How many events of a mean rate fall into one step. */
  poisson(mean: number): number {
    if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = this.next(); product > limit; product *= this.next()) count += 1;
    return count;
  }

  shuffle<T>(values: T[]): T[] {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [values[i], values[j]] = [values[j]!, values[i]!];
    }
    return values;
  }
}

/** A Pareto distribution cut off at `max`: many short flows, few that last. */
export class HeavyTail {
  readonly mean: number;
  readonly #alpha: number;
  readonly #min: number;
  readonly #max: number;

  /** `alpha` above 1. */
  constructor(alpha: number, min: number, max: number) {
    this.#alpha = alpha;
    this.#min = min;
    this.#max = max;
    this.mean = ((alpha * min ** alpha) / (1 - (min / max) ** alpha)) * ((max ** (1 - alpha) - min ** (1 - alpha)) / (1 - alpha));
  }

  duration(random: Random): number {
    return this.#min * (1 - random.next() * (1 - (this.#min / this.#max) ** this.#alpha)) ** (-1 / this.#alpha);
  }

  /** What is left of a flow that is met at any moment: long ones are met more often, in the middle. */
  rest(random: Random): number {
    const power = 1 - this.#alpha;
    const whole = (this.#min ** power + random.next() * (this.#max ** power - this.#min ** power)) ** (1 / power);
    return random.next() * whole;
  }
}
