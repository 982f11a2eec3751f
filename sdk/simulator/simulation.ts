/**
 * The simulator: the packet path of docs/packet_path.md on V8, poll by poll. Deterministic: what comes out depends on the chain, its configuration,
 * the seed and the packets only.
 */
import { CloseReason, DropReason, LIMITS, PacketFlag, dropReasonName } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { type CallSink, runCall } from "./chain.ts";
import { type ChainEntry, ChainNf } from "./chain_nf.ts";
import { ACK, DEFAULT_IDLE_MS, type Flow, type IdleMs, NS_PER_MS, SYN } from "./flow.ts";
import type { RuntimeShown } from "./fill.ts";
import { flowReport } from "./flow_report.ts";
import { type FlowHit, FlowTable } from "./flow_table.ts";
import { FragmentTable } from "./fragments.ts";
import type { Job } from "./job.ts";
import { checkOutTuple } from "./out_tuple.ts";
import { type Packet, type ParseOutcome, parse } from "./parse.ts";
import type { CountersSnapshot, NativeFlow, PacketOutcome, SentFrame, SimulationEvent, SimulationReport } from "./report.ts";

export interface SimulationOptions {
  chain: readonly ChainEntry[];
  flows?: { max?: number; idleMs?: Partial<IdleMs> };
  nonIp?: "forward" | "drop";
  /** Of the NFs' random numbers. */
  seed?: bigint;
}

/** One packet at the input. */
export interface InputPacket {
  timestampNs: bigint;
  /** What was captured of the frame. */
  bytes: Uint8Array;
  wireLength: number;
  /** Port it comes in on; 0 client, 1 server. */
  port?: 0 | 1;
}

interface Arrival extends InputPacket {
  index: number;
  port: 0 | 1;
}

/** A later fragment that waits. */
interface Waiting {
  arrival: Arrival;
  packet: Packet;
}

interface PendingCall {
  jobs: Job[];
  flows: Set<Flow>;
}

const FLOWS_MAX_DEFAULT = 65_536;

export class Simulation implements CallSink {
  readonly chain: readonly ChainNf[];
  nowNs = 0n;
  readonly flows: FlowTable;
  readonly events: SimulationEvent[] = [];
  readonly output: SentFrame[] = [];
  readonly outcomes: PacketOutcome[] = [];
  readonly #nonIp: "forward" | "drop";
  readonly #comparesKeys: boolean;
  readonly #fragments = new FragmentTable<Waiting>();
  readonly #calls: [PendingCall, PendingCall] = [emptyCall(), emptyCall()];
  readonly #ended: NativeFlow[] = [];
  readonly #emittedOf = new Map<number, number>();
  readonly #dropped: Record<string, bigint> = {};
  #lastTickNs: bigint | undefined;
  #counts = { received: 0n, receivedBytes: 0n, sent: 0n, sentBytes: 0n, emitted: 0n };

  /** Throws NfError when an NF cannot start, or the specification makes no sense. */
  constructor({ chain, flows = {}, nonIp = "forward", seed = 0n }: SimulationOptions) {
    const max = flows.max ?? FLOWS_MAX_DEFAULT;
    if (chain.length > LIMITS.chain_nfs_max)
      throw new NfError("runtime.spec", `a chain of ${chain.length} NFs`, { allowed: `at most ${LIMITS.chain_nfs_max}` });
    this.chain = chain.map((entry, i) => new ChainNf(entry, i, max, (event) => this.events.push(event)));
    this.flows = new FlowTable({
      max,
      idleMs: { ...DEFAULT_IDLE_MS, ...flows.idleMs },
      seed,
      leaseSizes: chain.map(({ rights, leaseSize }) => (rights.lease ? leaseSize : 0)),
    });
    this.#nonIp = nonIp;
    this.#comparesKeys = chain.some(({ rights }) => rights.edit !== "none");
  }

  /** One poll of at most burst_packets packets, in order of arrival. */
  poll(packets: readonly InputPacket[]): void {
    const first = packets[0];
    if (first) this.#begin(first.timestampNs);
    for (const packet of packets) this.#receive(packet);
    for (const direction of [0, 1] as const) this.#runPending(direction);
  }

  /** A poll without packets, at this time. */
  advance(nowNs: bigint): void {
    this.#begin(nowNs);
  }

  /** Ends the run: what is held drops, flows close. */
  end(): void {
    for (const { arrival } of this.#fragments.drain()) this.#dropArrival(arrival, DropReason.shutdown);
    for (const flow of [...this.flows.flows]) this.#close(flow, flow.status === "refused" ? CloseReason.REFUSED : CloseReason.SHUTDOWN);
  }

  report(): SimulationReport {
    const living = [...this.flows.flows].map((flow) => this.reportOf(flow));
    const flows = [...this.#ended, ...living].sort((a, b) => (a.flowId < b.flowId ? -1 : 1));
    const output = [...this.output].sort((a, b) => a.index - b.index || a.order - b.order);
    return { counters: this.counters(), flows, events: [...this.events], output, outcomes: this.outcomes.map((o) => ({ ...o })) };
  }

  /** A flow as it is now. */
  reportOf(flow: Flow): NativeFlow {
    return flowReport(flow, flow.finalStates ?? this.chain.map((nf) => nf.stateOf(flow)));
  }

  /** Flows that have ended, in order of their end. */
  get ended(): readonly NativeFlow[] {
    return this.#ended;
  }

  counters(): CountersSnapshot {
    return {
      nowNs: this.nowNs,
      ...this.#counts,
      missed: 0n,
      held: BigInt(this.#fragments.held),
      dropped: { ...this.#dropped },
      flowsOpen: this.flows.size,
      flowsOpened: this.flows.opened,
      flowsEnded: BigInt(this.#ended.length),
      eventsLost: 0n,
      nfs: this.chain.map((nf) => ({
        entry: nf.entry,
        version: nf.spec.manifest.version,
        faults: nf.faults,
        quarantined: nf.quarantined,
        counters: nf.counters(),
      })),
    };
  }

  // What a call does to the world (CallSink).

  drop(job: Job, reason: string): void {
    job.done = true;
    this.#count(reason);
    if (job.kind !== "emitted") this.#settle(job.index, "dropped", reason);
  }

  leave(job: Job): void {
    const reason = this.#comparesKeys ? checkOutTuple(job, this.flows) : DropReason.none;
    if (reason === DropReason.none) {
      job.done = true;
      this.#send({
        index: job.index,
        order: job.kind === "emitted" ? this.#nextOrder(job.index) : 0,
        timestampNs: job.timestampNs,
        bytes: job.frame,
        wireLength: job.wireLength,
        port: job.outPort,
      });
      if (job.kind !== "emitted") this.#settle(job.index, job.kind === "reply" ? "replied" : "sent", "");
      return;
    }
    this.drop(job, dropReasonName(reason));
    if (reason === DropReason.alias_conflict) job.flow.pendingEnd ??= { reason: CloseReason.ALIAS_CONFLICT, except: undefined };
  }

  countEmitted(): void {
    this.#counts.emitted += 1n;
  }

  setTimeout(flow: Flow, timeoutNs: bigint): void {
    flow.timeoutNs = timeoutNs;
    this.flows.touch(flow);
  }

  armTimer(flow: Flow, nf: ChainNf, dueNs: bigint | undefined): void {
    this.flows.armTimer(flow, nf.position, dueNs);
  }

  replace(nf: ChainNf): void {
    nf.replace(this.flows.flows);
  }

  endFlow(flow: Flow): void {
    const { reason, except } = flow.pendingEnd!;
    flow.pendingEnd = undefined;
    if (reason === CloseReason.REFUSED || reason === CloseReason.FAULT) this.#refuse(flow, reason, except);
    else this.#close(flow, reason, except);
  }

  // A poll's steps.

  #begin(timestampNs: bigint): void {
    if (timestampNs > this.nowNs) this.nowNs = timestampNs;
    for (const { arrival } of this.#fragments.expire(this.nowNs)) this.#dropArrival(arrival, DropReason.fragment_timeout);
    for (const { flow, nf } of this.flows.dueTimers(this.nowNs)) this.#fireTimer(flow, this.chain[nf]!);
    for (const flow of this.flows.due(this.nowNs)) {
      this.#close(flow, flow.status === "refused" ? CloseReason.REFUSED : flow.phase === "closing" ? CloseReason.FINISHED : CloseReason.EXPIRED);
    }
    this.#tick();
  }

  #fireTimer(flow: Flow, nf: ChainNf): void {
    if (flow.status !== "living") return;
    this.flows.armTimer(flow, nf.position, undefined);
    if (nf.isTold(flow)) this.#afterCallback(nf, nf.flowTimer(flow, this.nowNs));
  }

  #tick(): void {
    const interval = BigInt(LIMITS.tick_interval_ms) * NS_PER_MS;
    if (this.#lastTickNs !== undefined && this.nowNs - this.#lastTickNs < interval) return;
    const isFirst = this.#lastTickNs === undefined;
    this.#lastTickNs = this.nowNs;
    if (isFirst) return;
    for (const nf of this.chain) if (nf.instance.has("tick") && !nf.quarantined) this.#afterCallback(nf, nf.tick(this.nowNs));
  }

  #afterCallback(nf: ChainNf, fault: ReturnType<ChainNf["tick"]>): void {
    if (!fault) return;
    nf.countFault(fault, undefined, this.nowNs);
    this.replace(nf);
  }

  #receive(input: InputPacket): void {
    const arrival: Arrival = { ...input, wireLength: Math.max(input.wireLength, input.bytes.length), index: this.outcomes.length, port: input.port ?? 0 };
    this.outcomes.push({ index: arrival.index, fate: "held", reason: "" });
    this.#counts.received += 1n;
    this.#counts.receivedBytes += BigInt(arrival.wireLength);
    const outcome: ParseOutcome = parse(arrival.bytes, arrival.wireLength);
    if ("drop" in outcome) this.#dropArrival(arrival, outcome.drop);
    else if ("nonIp" in outcome) this.#passNonIp(arrival);
    else if (outcome.packet.kind === "later_fragment") this.#laterFragment({ arrival, packet: outcome.packet });
    else this.#packet(arrival, outcome.packet);
  }

  #passNonIp(arrival: Arrival): void {
    if (this.#nonIp === "drop") return this.#dropArrival(arrival, DropReason.non_ip);
    const { index, timestampNs, bytes, wireLength, port } = arrival;
    this.#send({ index, order: 0, timestampNs, bytes, wireLength, port: port === 0 ? 1 : 0 });
    this.#settle(index, "sent", "");
  }

  #laterFragment(waiting: Waiting): void {
    const { arrival, packet } = waiting;
    const hit = this.#fragments.later(packet, waiting, this.nowNs);
    if (hit === "held") return;
    if (hit === "overflow") return this.#dropArrival(arrival, DropReason.fragment_overflow);
    this.#fragmentOf(waiting, hit);
  }

  #fragmentOf({ arrival, packet }: Waiting, { flow, direction }: FlowHit): void {
    if (flow.status === "living" && this.#mustRun(flow, direction)) this.#makeRoom(flow, direction);
    if (flow.status !== "living") return this.#dropArrival(arrival, DropReason.fragment_no_flow);
    this.#add(arrival, packet, flow, direction);
  }

  #packet(arrival: Arrival, packet: Packet): void {
    const hit = this.#lookUp(packet);
    if (!hit && packet.kind === "icmp_error") return this.#dropArrival(arrival, DropReason.icmp_error_no_flow);
    if (hit?.flow.status === "refused") return this.#dropArrival(arrival, DropReason.flow_refused);
    const flow = hit?.flow ?? this.flows.open(packet.tuple, arrival.port, this.nowNs);
    if (!flow) return this.#dropArrival(arrival, DropReason.flow_table_full);
    const direction = hit?.direction ?? 0;
    this.#add(arrival, packet, flow, direction);
    if ((packet.flags & PacketFlag.FRAGMENT) === 0) return;
    for (const waiting of this.#fragments.first(packet, flow, direction, this.nowNs)) this.#fragmentOf(waiting, { flow, direction });
  }

  /** The packet's flow, after the calls have run that have to run before it is added. */
  #lookUp(packet: Packet): FlowHit | undefined {
    for (;;) {
      const hit = this.flows.find(packet.tuple);
      if (hit?.flow.status === "refused") return hit;
      const direction = hit?.direction ?? 0;
      if (this.#mustRun(hit?.flow, direction)) {
        this.#makeRoom(hit?.flow, direction);
        continue;
      }
      const starts = packet.kind === "packet" && (packet.tcpFlags & (SYN | ACK)) === SYN;
      if (!hit || !starts || hit.flow.phase !== "closing") return hit;
      if (this.#calls[direction].flows.has(hit.flow)) this.#runPending(direction);
      else this.#close(hit.flow, CloseReason.FINISHED);
    }
  }

  #mustRun(flow: Flow | undefined, direction: 0 | 1): boolean {
    const other = this.#calls[direction === 0 ? 1 : 0];
    return (flow !== undefined && other.flows.has(flow)) || this.#calls[direction].jobs.length >= LIMITS.burst_packets;
  }

  #makeRoom(flow: Flow | undefined, direction: 0 | 1): void {
    const other = direction === 0 ? 1 : 0;
    if (flow && this.#calls[other].flows.has(flow)) this.#runPending(other);
    if (this.#calls[direction].jobs.length >= LIMITS.burst_packets) this.#runPending(direction);
  }

  #add(arrival: Arrival, packet: Packet, flow: Flow, direction: 0 | 1): void {
    const sequence = flow.count(direction, arrival.wireLength, this.nowNs);
    flow.follow(packet, direction);
    this.flows.touch(flow);
    const { index, timestampNs, port: inPort, bytes: frame, wireLength } = arrival;
    const outPort = inPort === 0 ? 1 : 0;
    const call = this.#calls[direction];
    call.jobs.push({ index, timestampNs, flow, sequence, inPort, outPort, direction, kind: "packet", frame, wireLength, packet, done: false });
    call.flows.add(flow);
  }

  #runPending(direction: 0 | 1): void {
    const { jobs } = this.#calls[direction];
    if (jobs.length === 0) return;
    this.#calls[direction] = emptyCall();
    runCall(this, direction, jobs);
  }

  // Ends of flows.

  /** Ends a flow and keeps its record for a while, so that its next packets do not open it anew. */
  #refuse(flow: Flow, reason: CloseReason, by: number | undefined): void {
    flow.finalStates = this.chain.map((nf) => nf.stateOf(flow));
    this.#tellClosed(flow, reason, by);
    this.flows.freeLeases(flow, this.nowNs);
    flow.timers.fill(undefined);
    flow.opened = 0;
    flow.status = "refused";
    flow.phase = "refused";
    flow.refusedNs = this.nowNs;
    this.flows.touch(flow);
  }

  #close(flow: Flow, reason: CloseReason, except?: number): void {
    flow.finalStates ??= this.chain.map((nf) => nf.stateOf(flow));
    this.#tellClosed(flow, reason, except);
    this.flows.freeLeases(flow, this.nowNs);
    this.flows.remove(flow);
    flow.status = "ended";
    flow.closeReason = reason;
    this.#ended.push(flowReport(flow, flow.finalStates));
  }

  /** Where the NFs would have this flow go, of these runtimes; 0: they do not say. */
  targetOf(flow: Flow, runtimes: readonly RuntimeShown[]): number {
    for (const nf of this.chain) {
      const answer = nf.isTold(flow) ? this.#answer(nf, nf.migrationTarget(flow, runtimes, this.nowNs)) : 0;
      if (answer) return answer;
    }
    return 0;
  }

  /** Tells the NFs that the flow has come from another runtime; false: one does not take it. */
  flowArrives(flow: Flow): boolean {
    for (const nf of this.chain) {
      if (!nf.isTold(flow) || this.#answer(nf, nf.flowArrived(flow, this.nowNs)) === 0) continue;
      this.flowLeaves(flow, nf.position);
      return false;
    }
    return true;
  }

  /** Tells the NFs (before position `end`) that the flow has moved away. */
  flowLeaves(flow: Flow, end = this.chain.length): void {
    for (const nf of this.chain.slice(0, end)) if (nf.isTold(flow)) this.#afterCallback(nf, nf.flowLeft(flow, this.nowNs));
  }

  #answer(nf: ChainNf, answer: ReturnType<ChainNf["flowArrived"]>): number | undefined {
    if (typeof answer === "number") return answer;
    this.#afterCallback(nf, answer);
    return undefined;
  }

  #tellClosed(flow: Flow, reason: CloseReason, except: number | undefined): void {
    for (const nf of this.chain) {
      if (nf.position !== except && nf.isTold(flow)) this.#afterCallback(nf, nf.flowClose(flow, reason, this.nowNs));
    }
  }

  // Counting.

  #dropArrival(arrival: Arrival, reason: DropReason): void {
    this.#count(dropReasonName(reason));
    this.#settle(arrival.index, "dropped", dropReasonName(reason));
  }

  #count(reason: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0n) + 1n;
  }

  #send(frame: SentFrame): void {
    this.output.push(frame);
    this.#counts.sent += 1n;
    this.#counts.sentBytes += BigInt(frame.wireLength);
  }

  /** Frames that one packet caused leave in the order in which they finish the chain. */
  #nextOrder(index: number): number {
    const order = (this.#emittedOf.get(index) ?? 0) + 1;
    this.#emittedOf.set(index, order);
    return order;
  }

  #settle(index: number, fate: PacketOutcome["fate"], reason: string): void {
    const outcome = this.outcomes[index]!;
    outcome.fate = fate;
    outcome.reason = reason;
  }
}

function emptyCall(): PendingCall {
  return { jobs: [], flows: new Set() };
}
