/** What is measured while a benchmark runs, and the rows that become of it: one for each case and metric, in the order of their first samples. */
import type { BenchRow } from "../lib/bench_rows.ts";

/** Where the other figure of a comparison is; what is left out is as in the row itself. */
export interface Baseline {
  readonly case?: string;
  readonly metric?: string;
}

interface Series {
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly values: number[];
  readonly baseline: Baseline | undefined;
}

const round = (value: number): number => Number(value.toPrecision(6));

/** Of an even number of values the lower one of the two in the middle: a value that was measured. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1]!;
}

const keyOf = (inCase: string, metric: string): string => JSON.stringify([inCase, metric]);

export class Samples {
  readonly #name: string;
  readonly #series = new Map<string, Series>();

  constructor(name: string) {
    this.#name = name;
  }

  /** The baseline of a row is that of its first sample. */
  add(inCase: string, metric: string, unit: string, values: number | readonly number[], baseline?: Baseline): void {
    const key = keyOf(inCase, metric);
    const series = this.#series.get(key) ?? { case: inCase, metric, unit, values: [], baseline };
    series.values.push(...(typeof values === "number" ? [values] : values));
    this.#series.set(key, series);
  }

  /** Without what has no samples; without a ratio to itself, to what was not measured, or was nothing. */
  rows(): BenchRow[] {
    return [...this.#series.values()].flatMap((series): BenchRow[] => {
      const { values, baseline } = series;
      if (values.length === 0) return [];
      const other = baseline && this.#series.get(keyOf(baseline.case ?? series.case, baseline.metric ?? series.metric));
      const compared = other === undefined || other === series || other.values.length === 0 ? null : median(other.values);
      const middle = median(values);
      return [
        {
          ...{ name: this.#name, case: series.case, metric: series.metric, unit: series.unit },
          ...{ median: round(middle), min: round(Math.min(...values)), max: round(Math.max(...values)) },
          baseline: compared === null ? null : round(compared),
          ratio: compared === null || compared === 0 ? null : round(middle / compared),
          runs: values.length,
        },
      ];
    });
  }
}
