/**
 * What a person sees of a run while it goes on: on a terminal a few lines that are written over, otherwise one line every few seconds.
 *
 * Rates are of the time since the last line, over the runtime's counters. Other messages go through `say`, which puts them above the view.
 */
import type { CountersSnapshot } from "../dataplane/native_types.ts";
import type { RuntimeJson } from "../result/runtimes_result.ts";
import { nameOf, ratesOf, runtimesTable } from "../result/runtimes_text.ts";
import { count, duration, si } from "../result/text.ts";

export interface Sample {
  counters: CountersSnapshot;
  /** In switched mode. */
  runtimes?: readonly RuntimeJson[] | undefined;
  /** Of the monotonic clock, ms. */
  atMs: number;
}

/** Sum of all drops. */
export function droppedOf({ dropped }: CountersSnapshot): bigint {
  return Object.values(dropped).reduce((sum, n) => sum + n, 0n);
}

function topDrops({ dropped }: CountersSnapshot, most: number): string {
  const reasons = Object.entries(dropped).sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0));
  const shown = reasons.slice(0, most).map(([reason, n]) => `${reason} ${count(n)}`);
  return [...shown, ...(reasons.length > most ? [`${reasons.length - most} more reasons`] : [])].join(", ");
}

function rates(now: Sample, before: Sample): { in: string; out: string } {
  const seconds = Math.max((now.atMs - before.atMs) / 1000, 0.001);
  const per = (a: bigint, b: bigint) => Number(a - b) / seconds;
  const [n, b] = [now.counters, before.counters];
  const text = (packets: number, bytes: number) => `${si(packets).trimEnd()} packets/s, ${si(bytes * 8)}bit/s`;
  return { in: text(per(n.received, b.received), per(n.receivedBytes, b.receivedBytes)), out: text(per(n.sent, b.sent), per(n.sentBytes, b.sentBytes)) };
}

/** One line, for logs and pipes. */
export function viewLine(now: Sample, before: Sample, startMs: number): string {
  const { in: input, out } = rates(now, before);
  const dropped = droppedOf(now.counters);
  const drops = dropped === 0n ? "" : `  dropped ${count(dropped)} (${topDrops(now.counters, 3)})`;
  return `${duration((now.atMs - startMs) * 1e6)}  in ${input}  out ${out}  flows ${count(now.counters.flowsOpen)}${flowsByRuntime(now)}${drops}${missedOf(now.counters)}${failures(now)}`;
}

/** "  lost in failures 12 at most  restarts 2 (1: 2)" */
function failures({ counters: { lostInFailure = 0n }, runtimes = [] }: Sample): string {
  const restarted = runtimes.filter(({ restarts = 0 }) => restarts > 0);
  const total = restarted.reduce((sum, { restarts = 0 }) => sum + restarts, 0);
  const who = restarted.map(({ runtime, restarts = 0 }) => `${nameOf(runtime)}: ${count(restarts)}`).join(", ");
  return `${lostInFailure > 0n ? `  lost in failures ${count(lostInFailure)} at most` : ""}${total > 0 ? `  restarts ${count(total)} (${who})` : ""}`;
}

/** What the interfaces lost before it came here. */
const missedOf = ({ missed }: CountersSnapshot): string => (missed > 0n ? `  missed ${count(missed)}` : "");

/** " (1: 20, 2: 19; 3 moving, 120 moved)" */
function flowsByRuntime({ runtimes = [] }: Sample): string {
  if (runtimes.length === 0) return "";
  const workers = runtimes.filter(({ runtime }) => runtime !== 0);
  const sum = (name: "under_way" | "moved_out") => workers.reduce((total, one) => total + one[name], 0);
  const [moving, moved] = [sum("under_way"), sum("moved_out")];
  const moves = moving + moved === 0 ? "" : `; ${count(moving)} moving, ${count(moved)} moved`;
  return ` (${workers.map(({ runtime, flows }) => `${nameOf(runtime)}: ${count(flows)}`).join(", ")}${moves})`;
}

function runtimesLines(now: Sample, before: Sample): string[] {
  if (!now.runtimes) return [];
  const sample = ({ runtimes = [], atMs }: Sample) => ({ runtimes, atUs: atMs * 1000 });
  return runtimesTable(ratesOf(sample(now), sample(before)))
    .split("\n")
    .map((line) => `  ${line}`);
}

/** The lines of a terminal. */
export function viewLines(now: Sample, before: Sample, startMs: number, title: string): string[] {
  const { in: input, out } = rates(now, before);
  const { counters } = now;
  const nfs = counters.nfs.map(({ entry, version, faults, quarantined, counters: own }) => {
    const values = Object.entries(own).map(([name, n]) => `${name} ${count(n)}`);
    return `  ${entry} ${version}${quarantined ? "  QUARANTINED" : ""}${faults > 0n ? `  faults ${count(faults)}` : ""}${values.length > 0 ? `  ${values.join(", ")}` : ""}`;
  });
  return [
    `${title}   ${duration((now.atMs - startMs) * 1e6)}`,
    `in      ${input}   ${count(counters.received)} packets${now.runtimes ? "" : missedOf(counters)}`,
    `out     ${out}   ${count(counters.sent)} packets`,
    `flows   ${count(counters.flowsOpen)} open, ${count(counters.flowsOpened)} in all${counters.held > 0n ? `   held ${count(counters.held)}` : ""}`,
    `dropped ${count(droppedOf(counters))}${droppedOf(counters) === 0n ? "" : `   ${topDrops(counters, 4)}`}`,
    ...(failures(now) === "" ? [] : [`failed${failures(now)}`]),
    ...nfs,
    ...runtimesLines(now, before),
  ];
}

export interface LiveViewOptions {
  title: string;
  read(): CountersSnapshot;
  /** In switched mode. */
  runtimes?: (() => RuntimeJson[]) | undefined;
  /** Writes to the terminal. */
  write(text: string): void;
  /** Columns of a terminal; undefined for everything else. */
  columns: (() => number) | undefined;
  /** Only messages. */
  quiet: boolean;
}

const TERMINAL_MS = 500;
const LINE_MS = 5000;

export class LiveView {
  readonly #options: LiveViewOptions;
  readonly #startMs = performance.now();
  #last: Sample;
  #shown = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.#last = this.#sample();
    if (!options.quiet) this.#timer = setInterval(() => this.#refresh(), options.columns ? TERMINAL_MS : LINE_MS);
  }

  /** A message, above the view. */
  say(text: string): void {
    this.#erase();
    this.#options.write(`${text}\n`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #sample(): Sample {
    return { counters: this.#options.read(), runtimes: this.#options.runtimes?.(), atMs: performance.now() };
  }

  #refresh(): void {
    const now = this.#sample();
    const { columns, title, write } = this.#options;
    if (columns) {
      const width = Math.max(20, columns() - 1);
      const lines = viewLines(now, this.#last, this.#startMs, title).map((line) => line.slice(0, width));
      this.#erase();
      write(`${lines.join("\n")}\n`);
      this.#shown = lines.length;
    } else {
      write(`${viewLine(now, this.#last, this.#startMs)}\n`);
    }
    this.#last = now;
  }

  /** Cursor up to the view's first line, then clear from there to the end of the screen. */
  #erase(): void {
    if (this.#shown > 0) this.#options.write(`\x1b[${this.#shown}A\x1b[0J`);
    this.#shown = 0;
  }
}
