/**
 * A call: packets of one direction on their way through the chain. docs/packet_path.md, section 6.
 *
 * `ChainRun` is what lives as long as one call: who has turned, what was emitted, which flows end. What a call does to the world around it goes
 * through `CallSink`.
 */
import { CloseReason, DropReason, LIMITS, ResultFlag, Verdict, dropReasonName } from "../abi/gen/abi.ts";
import { type ChainNf, badResult } from "./chain_nf.ts";
import { fillCall } from "./fill.ts";
import { NS_PER_MS, type Flow } from "./flow.ts";
import type { GuestFault } from "./fault.ts";
import type { Job } from "./job.ts";
import { parse } from "./parse.ts";
import { type EmitRequest, type Result, checkResult, readEmits, readResult } from "./result.ts";

/** What calls need of the simulation. */
export interface CallSink {
  readonly nowNs: bigint;
  readonly chain: readonly ChainNf[];
  drop(job: Job, reason: string): void;
  /** The job has passed the chain. */
  leave(job: Job): void;
  /** Counts a frame that an NF sends. */
  countEmitted(): void;
  setTimeout(flow: Flow, timeoutNs: bigint): void;
  armTimer(flow: Flow, nf: ChainNf, dueNs: bigint | undefined): void;
  /** A fault was counted and the instance is dead: a spare one takes over. */
  replace(nf: ChainNf): void;
  /** Ends what was decided to end. */
  endFlow(flow: Flow): void;
}

export function runCall(sink: CallSink, direction: 0 | 1, jobs: readonly Job[]): void {
  new ChainRun(sink, direction).run(jobs);
}

/** Decides that a flow ends when the call is over; the first decision counts. */
export function decideEnd(ending: Set<Flow>, flow: Flow, reason: CloseReason, except?: number): void {
  flow.pendingEnd ??= { reason, except };
  ending.add(flow);
}

class ChainRun {
  readonly #sink: CallSink;
  readonly #direction: 0 | 1;
  readonly #replies = new Map<ChainNf, Job[]>();
  readonly #emitted = new Map<ChainNf, Job[]>();
  readonly #ending = new Set<Flow>();

  constructor(sink: CallSink, direction: 0 | 1) {
    this.#sink = sink;
    this.#direction = direction;
  }

  run(jobs: readonly Job[]): void {
    const { chain } = this.#sink;
    const path = this.#direction === 0 ? [...chain] : [...chain].reverse();
    this.#pass(path, jobs);
    path.forEach((nf, i) => {
      const replies = this.#replies.get(nf);
      if (replies) this.#pass(path.slice(0, i).reverse(), replies);
    });
    path.forEach((nf, i) => {
      const emitted = this.#emitted.get(nf) ?? [];
      for (const direction of [this.#direction, this.#direction ^ 1]) {
        const way = direction === this.#direction ? path.slice(i + 1) : path.slice(0, i).reverse();
        const frames = emitted.filter((job) => job.direction === direction);
        for (let at = 0; at < frames.length; at += LIMITS.burst_packets) this.#pass(way, frames.slice(at, at + LIMITS.burst_packets));
      }
    });
    for (const flow of this.#ending) this.#sink.endFlow(flow);
  }

  /** Takes jobs of one direction through these NFs and out. */
  #pass(path: readonly ChainNf[], jobs: readonly Job[]): void {
    let left = jobs;
    for (const nf of path) {
      this.#passNf(nf, left);
      left = left.filter((job) => !job.done && !this.#replies.get(nf)?.includes(job));
      if (left.length === 0) return;
    }
    for (const job of left) this.#leave(job);
  }

  #leave(job: Job): void {
    this.#sink.leave(job);
    if (job.flow.pendingEnd) this.#ending.add(job.flow);
  }

  /** One NF, for those of the packets that do not pass by it; again for those behind a trap. */
  #passNf(nf: ChainNf, jobs: readonly Job[]): void {
    let rest = jobs;
    while (rest.length > 0) {
      const called = rest.filter((job) => (job.flow.bypass & nf.bit) === 0);
      if (nf.quarantined) {
        if (nf.spec.manifest.quarantine === "closed") for (const job of called) this.#drop(job, DropReason.nf_quarantined);
        return;
      }
      if (called.length === 0) return;
      const blamed = this.#call(nf, called);
      rest = blamed === undefined ? [] : called.slice(blamed + 1).filter(({ done }) => !done);
    }
  }

  /** One process-burst; the index of the packet that a trap is blamed on. */
  #call(nf: ChainNf, jobs: readonly Job[]): number | undefined {
    const seen = new Set<Flow>();
    const first = jobs.map(({ flow }) => {
      const isFirst = (flow.opened & nf.bit) === 0 && !seen.has(flow);
      seen.add(flow);
      return isFirst;
    });
    fillCall(nf, jobs, first, jobs[0]!.direction, this.#sink.nowNs);
    const fault = nf.processBurst(jobs.length, this.#sink.nowNs);
    const results = jobs.map((_, i) => readResult(nf.instance, i));
    const pending = results.findIndex(({ verdict }) => verdict === Verdict.PENDING);
    const blamed = fault ? (pending === -1 ? jobs.length - 1 : pending) : undefined;
    const taken = blamed ?? jobs.length;
    const emits = readEmits(nf, jobs);
    for (let i = 0; i < taken; i++) {
      const job = jobs[i]!;
      if (job.done) continue;
      if (first[i]) job.flow.opened |= nf.bit;
      if (this.#take(nf, job, i, results[i]!, first[i]!, emits.get(i) ?? [])) continue;
      this.#refuseWith(nf, job, [...jobs.slice(i + 1, taken), ...jobs.slice(taken + 1)]);
    }
    if (fault) {
      this.#blame(nf, jobs[taken]!, fault, "");
      this.#refuseWith(nf, jobs[taken]!, jobs.slice(taken + 1));
    }
    return blamed;
  }

  /** False when the result was a breach. */
  #take(nf: ChainNf, job: Job, i: number, result: Result, first: boolean, emits: EmitRequest[] | { breach: string }): boolean {
    const checked = Array.isArray(emits) ? checkResult(nf, job, i, result) : emits;
    if ("breach" in checked) {
      this.#blame(nf, job, badResult(), checked.breach);
      return false;
    }
    this.#applyTimes(nf, job.flow, result);
    if (checked.edited) Object.assign(job, checked.edited);
    if (result.flags & ResultFlag.CLOSE_FLOW) {
      const refuses = result.verdict === Verdict.DROP && first && job.kind === "packet" && job.flow.packets[0] + job.flow.packets[1] === 1;
      decideEnd(this.#ending, job.flow, refuses ? CloseReason.REFUSED : CloseReason.FINISHED, refuses ? nf.position : undefined);
    }
    if (result.verdict === Verdict.DROP) this.#sink.drop(job, `${nf.entry}.${ownReason(nf, result.dropReason)}`);
    if (result.verdict === Verdict.REPLY) this.#turn(nf, job);
    for (const request of emits as EmitRequest[]) this.#emit(nf, job, request);
    return true;
  }

  #applyTimes(nf: ChainNf, flow: Flow, { flags, timeoutMs }: Result): void {
    if (flags & ResultFlag.ARM_TIMER) {
      if (nf.instance.has("flow-timer")) this.#sink.armTimer(flow, nf, timeoutMs === 0 ? undefined : this.#sink.nowNs + BigInt(timeoutMs) * NS_PER_MS);
    } else if (timeoutMs !== 0) {
      this.#sink.setTimeout(flow, BigInt(timeoutMs) * NS_PER_MS);
    }
  }

  #turn(nf: ChainNf, job: Job): void {
    job.kind = "reply";
    job.direction = job.direction === 0 ? 1 : 0;
    job.outPort = job.inPort;
    append(this.#replies, nf, job);
  }

  #emit(nf: ChainNf, cause: Job, { direction, frame }: EmitRequest): void {
    this.#sink.countEmitted();
    const outcome = parse(frame, frame.length);
    // A reply has turned already: the cause's own direction is that of the call.
    const onward = direction === this.#direction;
    const outPort = onward ? (cause.inPort === 0 ? 1 : 0) : cause.inPort;
    const { index, timestampNs, flow, sequence, inPort } = cause;
    const common = {
      index,
      timestampNs,
      flow,
      sequence,
      inPort,
      outPort,
      direction,
      kind: "emitted",
      frame,
      wireLength: frame.length,
      done: false,
    } as const;
    if ("packet" in outcome) append(this.#emitted, nf, { ...common, packet: outcome.packet });
    else this.#drop({ ...common, packet: cause.packet }, DropReason.emit_invalid);
  }

  #blame(nf: ChainNf, job: Job, fault: GuestFault, breach: string): void {
    const { flow, sequence } = job;
    nf.countFault(fault, { flow, sequence, breach }, this.#sink.nowNs);
    const policy = nf.spec.manifest.on_fault;
    if (policy === "bypass") {
      flow.bypass |= nf.bit;
      this.#sink.armTimer(flow, nf, undefined);
    } else {
      this.#drop(job, DropReason.nf_fault);
    }
    if (policy === "close_flow") decideEnd(this.#ending, flow, CloseReason.FAULT, nf.position);
    if (nf.instance.dead) this.#sink.replace(nf);
  }

  /** Packets of the blamed one's flow that stand behind it go with it, when the flow ends. */
  #refuseWith(nf: ChainNf, blamed: Job, behind: readonly Job[]): void {
    if (nf.spec.manifest.on_fault !== "close_flow") return;
    for (const job of behind) if (job.flow === blamed.flow && !job.done) this.#drop(job, DropReason.flow_refused);
  }

  #drop(job: Job, reason: DropReason): void {
    this.#sink.drop(job, dropReasonName(reason));
  }
}

function ownReason(nf: ChainNf, number: number): string {
  return number === 0 ? "drop" : (nf.spec.manifest.drop_reasons[String(number)] ?? `reason_${number}`);
}

function append(map: Map<ChainNf, Job[]>, nf: ChainNf, job: Job): void {
  const jobs = map.get(nf);
  if (jobs) jobs.push(job);
  else map.set(nf, [job]);
}
