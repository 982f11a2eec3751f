/**
 * The trace of a running host, as its control socket serves it: begun, read from again and again, ended. One at a time.
 *
 * Whoever reads waits here, never in the dataplane: that is asked every few ms while somebody reads, and has rings of its own meanwhile. A trace that nobody
 * reads from is ended.
 */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { NfError } from "@nfactor/sdk/errors";
import type { Dataplane } from "../dataplane/dataplane.ts";
import { plural } from "../result/text.ts";
import type { Params, Result } from "../rpc/protocol.ts";
import type { Handlers } from "../rpc/server.ts";
import { TraceAssembler } from "../trace/assemble.ts";
import { parsePoint, traceFilter } from "../trace/filter.ts";
import type { TracePacket, TraceTotals } from "../trace/packet.ts";
import type { TraceBatch, TraceWanted } from "../trace/records.ts";
import type { LiveEntry } from "./live_chain.ts";

/** So often the dataplane is asked while somebody waits. */
const LOOK_MS = 20;
/** After that nobody reads any more. */
const READER_GONE_MS = 5000;
const WATCH_MS = 500;
/** Looks after the end in which the last records come; and in one go while there is more. */
const LAST_LOOKS = 5;
/** Of one answer. */
const ANSWER_PACKETS_MAX = 500;
const ANSWER_BYTES_MAX = 4 << 20;
/** Told or not: packets that wait to be read. The dataplane is not asked for more meanwhile. */
const READY_MAX = 5000;

export interface LiveTraceOptions {
  dataplane: Pick<Dataplane, "traceStart" | "traceRead" | "traceStop">;
  chain: readonly LiveEntry[];
  /** Tells the person at the host's terminal. */
  say(text: string): void;
}

export class LiveTrace implements Pick<Handlers, "trace_start" | "trace_read" | "trace_stop"> {
  readonly #options: LiveTraceOptions;
  #running: RunningTrace | undefined;
  #isStarting = false;

  constructor(options: LiveTraceOptions) {
    this.#options = options;
  }

  readonly trace_start = async (params: Params<"trace_start">): Promise<Result<"trace_start">> => {
    const { dataplane, chain, say } = this.#options;
    const entries = chain.map(({ nf }) => nf.entry);
    const wanted = wantedOf(params, entries);
    if (this.#running || this.#isStarting)
      throw new NfError("trace.busy", "a trace or capture of this host is under way, and there is one at a time", {
        fix: `Try again when it has ended; one whose reader is gone ends by itself after ${READER_GONE_MS / 1000} s.`,
      });
    this.#isStarting = true;
    try {
      await dataplane.traceStart(wanted);
    } finally {
      this.#isStarting = false;
    }
    const over = (): void => {
      if (this.#running?.id === wanted.id) this.#running = undefined;
    };
    this.#running = new RunningTrace(dataplane, wanted, params, entries, over);
    say(`trace  of ${params.match.length > 0 ? `'${params.match.join(" ")}'` : "everything"}, ${plural(params.packets, "packet")} or ${params.seconds} s`);
    return { trace: wanted.id, entries };
  };

  readonly trace_read = async ({ trace, wait_ms }: Params<"trace_read">): Promise<Result<"trace_read">> => this.#get(trace).read(wait_ms);

  /** With what is known by now. */
  readonly trace_stop = async ({ trace }: Params<"trace_stop">): Promise<Result<"trace_stop">> => this.#get(trace).stop();

  /** The host ends, or its processes are left; these end the trace by themselves. */
  close(): void {
    this.#running?.forget();
  }

  #get(trace: number): RunningTrace {
    if (this.#running?.id === trace) return this.#running;
    throw new NfError("trace.ended", "this trace has ended", { fix: "Begin another one." });
  }
}

/** What the dataplane is to be asked for. Throws NfError (usage, trace.point). */
function wantedOf({ match, packets, seconds, frame_bytes, point: text }: Params<"trace_start">, entries: readonly string[]): TraceWanted {
  const filter = traceFilter(match);
  const point = text === undefined ? undefined : parsePoint(text, entries);
  return {
    id: randomInt(1, 2 ** 31),
    filter,
    packets,
    ms: seconds * 1000,
    frameBytes: frame_bytes,
    point:
      point === undefined
        ? { kind: "all", which: 0 }
        : "port" in point
          ? { kind: "port", which: point.port === "client" ? 0 : 1 }
          : { kind: point.side === "in" ? "nf_in" : "nf_out", which: entries.indexOf(point.entry) },
  };
}

class RunningTrace {
  readonly id: number;
  readonly #dataplane: LiveTraceOptions["dataplane"];
  readonly #wanted: TraceWanted;
  /** Packets whose frames never come to the point of a capture don't count. */
  readonly #isCapture: boolean;
  readonly #limit: number;
  readonly #assembler: TraceAssembler;
  readonly #untilMs: number;
  readonly #watch: NodeJS.Timeout;
  readonly #onOver: () => void;
  readonly #ready: TracePacket[] = [];
  readonly #totals: TraceTotals = { packets: 0, matched: 0, missed: 0, lost_hops: 0 };
  #found = 0;
  #lastLooks = 0;
  #readMs = performance.now();
  #hasEnded = false;
  /** Reads are served one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    dataplane: LiveTraceOptions["dataplane"],
    wanted: TraceWanted,
    { packets, seconds, point }: Params<"trace_start">,
    entries: readonly string[],
    onOver: () => void,
  ) {
    this.id = wanted.id;
    this.#dataplane = dataplane;
    this.#wanted = wanted;
    this.#isCapture = point !== undefined;
    this.#limit = packets;
    // Of this machine's monotonic clock, which is Node's and the members' as well.
    this.#assembler = new TraceAssembler(entries, BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint());
    this.#untilMs = performance.now() + seconds * 1000;
    this.#onOver = onOver;
    this.#watch = setInterval(() => {
      if (performance.now() - this.#readMs > READER_GONE_MS) void this.end();
    }, WATCH_MS);
    this.#watch.unref();
  }

  get #isOver(): boolean {
    return this.#found >= this.#limit || this.#lastLooks > LAST_LOOKS;
  }

  read(waitMs: number): Promise<Result<"trace_read">> {
    return this.#inTurn(async () => {
      const untilMs = performance.now() + waitMs;
      for (;;) {
        this.#readMs = performance.now();
        if (!this.#isOver && this.#ready.length < READY_MAX) await this.#look();
        if (this.#isOver || this.#ready.length > 0 || performance.now() >= untilMs) break;
        await sleep(LOOK_MS);
      }
      const packets = this.#takeReady();
      const done = this.#isOver && this.#ready.length === 0;
      if (done) await this.end();
      return { packets, totals: { ...this.#totals }, done };
    });
  }

  stop(): Promise<Result<"trace_stop">> {
    return this.#inTurn(async () => {
      if (!this.#hasEnded) await this.#look();
      await this.end();
      this.#collect(true);
      return { packets: this.#takeReady(), totals: { ...this.#totals } };
    });
  }

  forget(): void {
    this.#hasEnded = true;
    clearInterval(this.#watch);
    this.#onOver();
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return;
    this.forget();
    // Members that do not hear it end it by themselves.
    await this.#dataplane.traceStop(this.id).catch(() => undefined);
  }

  #inTurn<T>(what: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(what);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** At all members, once, and again while they have more. */
  async #look(): Promise<void> {
    const isTimeOver = performance.now() >= this.#untilMs;
    let chosen = 0;
    let batches: TraceBatch[];
    for (let i = 0; i < LAST_LOOKS; i++) {
      batches = await this.#dataplane.traceRead(this.#wanted);
      this.#assembler.push(batches);
      const sum = (of: (batch: TraceBatch) => number): number => batches.reduce((all, batch) => all + of(batch), 0);
      chosen = sum((batch) => batch.chosen);
      this.#totals.missed = sum(({ missed }) => Number(missed));
      this.#totals.lost_hops = sum(({ lost }) => Number(lost));
      this.#totals.matched = chosen + this.#totals.missed;
      if (batches.every(({ more }) => !more)) break;
    }
    // Those that never come to the point are made up for.
    if (this.#isCapture) this.#wanted.packets = Math.max(this.#wanted.packets, chosen + this.#limit - this.#found - this.#assembler.open);
    if (isTimeOver) this.#lastLooks += 1;
    this.#collect(this.#lastLooks > LAST_LOOKS);
  }

  #collect(all: boolean): void {
    for (const packet of this.#assembler.take(all)) {
      if (this.#found >= this.#limit || (this.#isCapture && packet.hops.every(({ frame }) => frame === undefined))) continue;
      // What an NF has made comes on top of what was asked for.
      if (!packet.made_by) this.#found += 1;
      this.#ready.push(packet);
    }
  }

  #takeReady(): TracePacket[] {
    let [count, bytes] = [0, 0];
    for (const { hops } of this.#ready) {
      if (count === ANSWER_PACKETS_MAX || bytes > ANSWER_BYTES_MAX) break;
      count += 1;
      for (const { frame } of hops) bytes += 100 + (frame?.length ?? 0);
    }
    this.#totals.packets += count;
    return this.#ready.splice(0, count);
  }
}
