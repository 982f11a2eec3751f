/** A histogram of what others have counted: each scrape says it anew, from what they tell. */
import type { Histogram, MetricValueWithName, Registry } from "prom-client";

export interface ToldHistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, of the metric's unit; what is above the last is in +Inf. */
  readonly bounds: readonly number[];
  readonly registry: Registry;
}

export class ToldHistogram<L extends string> {
  /** As the registry asks of its metrics. */
  readonly name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  #values: MetricValueWithName<L>[] = [];

  constructor({ name, help, bounds, registry }: ToldHistogramOptions) {
    this.name = name;
    this.#help = help;
    this.#bounds = bounds;
    // The registry calls nothing but get() of what it is given.
    registry.registerMetric(this as unknown as Histogram<L>);
  }

  /** For each set of labels. */
  get series(): number {
    return this.#bounds.length + 3;
  }

  forget(): void {
    this.#values = [];
  }

  /** `counts`: of each bound those that are not in the one before it, then those above all. `sum`: of all, of the metric's unit. */
  tell(labels: Readonly<Record<L, string>>, { counts, sum }: { readonly counts: readonly number[]; readonly sum: number }): void {
    const add = (suffix: string, value: number, le?: number | string): void =>
      void this.#values.push({ metricName: `${this.name}_${suffix}`, labels: le === undefined ? labels : { ...labels, le }, value });
    let below = 0;
    this.#bounds.forEach((bound, i) => add("bucket", (below += counts[i] ?? 0), bound));
    const all = counts.reduce((one, other) => one + other, 0);
    add("bucket", all, "+Inf");
    add("sum", sum);
    add("count", all);
  }

  get(): Promise<object> {
    return Promise.resolve({ name: this.name, help: this.#help, type: "histogram", values: this.#values });
  }
}
