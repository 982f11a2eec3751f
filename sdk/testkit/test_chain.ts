/**
 * A chain under test: packets go in, verdicts come out, flows show their state by field name, and time moves only when the test says so.
 */
import { type FaultKindName, LIMITS, faultKindName, logLevelName } from "../abi/gen/abi.ts";
import { type Capture, readCapture } from "../capture/index.ts";
import { type StateSchema } from "../manifest/state_schema.ts";
import { type StateValue, readState } from "../manifest/state_values.ts";
import { protocolName } from "../protocols.ts";
import type { RuntimeShown } from "../simulator/fill.ts";
import type { Flow } from "../simulator/flow.ts";
import type { NativeFlow, SimulatedFault } from "../simulator/report.ts";
import { type InputPacket, Simulation, type SimulationOptions } from "../simulator/simulation.ts";
import { sides } from "../simulator/simulate.ts";
import { parsePath, sameAddress } from "./endpoints.ts";
import { type Place, type SourcePlaces, isOfTheSdk } from "./source_places.ts";
import { Verdict } from "./verdict.ts";

/** What is needed of each NF besides running it. */
export interface TestedNf {
  entry: string;
  stateSchema: StateSchema;
  places: SourcePlaces;
}

export interface SendOptions {
  /** Port that the packets come in on; default client. */
  port?: "client" | "server";
  /** Length on the wire, when more was there than the frame's bytes. */
  wireLength?: number;
}

export interface TestFlow {
  /** State of the only NF, or of the first; by field name: 64-bit fields are bigint. */
  state: Record<string, StateValue>;
  /** By the chain entry's name; an NF that has not opened the flow has none. */
  states: Record<string, Record<string, StateValue>>;
  /** From the initiator, to the initiator. */
  packets: [number, number];
  bytes: [number, number];
  phase: NativeFlow["phase"];
  /** CloseReason of the ABI once the flow has ended. */
  closeReason: number | undefined;
}

export interface TestFault extends Partial<Place> {
  nf: string;
  kind: FaultKindName;
  /** What was thrown or asserted; of a bad_result what the NF may not do. */
  message: string;
  /** Export that was running. */
  call: string;
}

const NS_PER_MS = 1_000_000;
/** Tests begin at a date that is easy to tell from zero: 2026-01-01. */
const START_NS = 1_767_225_600_000_000_000n;

export class TestChain {
  readonly simulation: Simulation;
  readonly #nfs: readonly TestedNf[];
  #nowNs = START_NS;

  constructor(options: SimulationOptions, nfs: readonly TestedNf[]) {
    this.simulation = new Simulation(options);
    this.#nfs = nfs;
  }

  /** Time of the next packets, ns since the epoch. */
  get now(): bigint {
    return this.#nowNs;
  }

  /** Frames that arrive together, at the present time: one poll for each 32 of them. */
  send(frames: Uint8Array | readonly Uint8Array[], { port = "client", wireLength }: SendOptions = {}): Verdict[] {
    const list = frames instanceof Uint8Array ? [frames] : frames;
    const packets = list.map((bytes): InputPacket => ({
      timestampNs: this.#nowNs,
      bytes,
      wireLength: wireLength ?? bytes.length,
      port: port === "client" ? 0 : 1,
    }));
    const verdicts: Verdict[] = [];
    for (let at = 0; at < packets.length; at += LIMITS.burst_packets) verdicts.push(...this.#poll(packets.slice(at, at + LIMITS.burst_packets)));
    return verdicts;
  }

  /** Sends one frame. */
  sendOne(frame: Uint8Array, options: SendOptions = {}): Verdict {
    return this.send([frame], options)[0]!;
  }

  /** A capture file with its own times, which have to be later than what was sent before; prefixes say which sources are the client's. */
  replay(capture: string | Capture, clientCidrs: readonly string[] = []): Verdict[] {
    const { records } = typeof capture === "string" ? readCapture(capture) : capture;
    const sideOf = sides(clientCidrs);
    const verdicts: Verdict[] = [];
    let poll: InputPacket[] = [];
    for (const { timestampNs, bytes, wireLength } of records) {
      const first = poll[0];
      if (first && (poll.length === LIMITS.burst_packets || timestampNs > first.timestampNs + BigInt(LIMITS.poll_gap_ns))) {
        verdicts.push(...this.#poll(poll));
        poll = [];
      }
      const packet = { timestampNs, bytes, wireLength };
      poll.push({ ...packet, port: sideOf(packet) });
    }
    verdicts.push(...this.#poll(poll));
    this.#nowNs = this.simulation.nowNs > this.#nowNs ? this.simulation.nowNs : this.#nowNs;
    return verdicts;
  }

  /** Lets time pass: timers fire, flows end, tick is called (once, as in a poll that comes then). */
  advance(ms: number): void {
    this.#nowNs += BigInt(Math.round(ms * NS_PER_MS));
    this.simulation.advance(this.#nowNs);
  }

  /** Where the NFs would have the flow go if these were the runtimes; 0: they do not say. The run is not changed: a test has one runtime. */
  migrationTarget(text: string, runtimes: readonly RuntimeShown[]): number {
    return this.simulation.targetOf(this.#living(text), runtimes);
  }

  /** Tells the NFs that the flow, with its state as it is, has come from another runtime; false: one does not take it. */
  arrive(text: string): boolean {
    return this.simulation.flowArrives(this.#living(text));
  }

  /** Tells the NFs that the flow has moved away; in the test it goes on. */
  leave(text: string): void {
    this.simulation.flowLeaves(this.#living(text));
  }

  /** Ends the run: all flows close. */
  end(): void {
    this.simulation.end();
  }

  /** The youngest flow with these endpoints, whichever of them opened it; throws when there was none. */
  flow(text: string): TestFlow {
    const found = this.flows().filter((flow) => this.#matches(flow, text));
    const flow = found.at(-1);
    if (flow) return this.#testFlow(flow);
    const known = this.flows().map(flowText);
    throw new Error(`no flow '${text}'; there ${known.length === 1 ? "is" : "are"} ${known.join(", ") || "none"}`);
  }

  /** True when a flow with these endpoints is open. */
  hasFlow(text: string): boolean {
    return this.flows().some((flow) => flow.closeReason === undefined && this.#matches(flow, text));
  }

  /** All flows, ended ones included, in order of their first packets. */
  flows(): NativeFlow[] {
    const living = [...this.simulation.flows.flows].map((flow) => this.simulation.reportOf(flow));
    return [...this.simulation.ended, ...living].sort((a, b) => (a.flowId < b.flowId ? -1 : 1));
  }

  /** Faults so far, with their place in the source. */
  get faults(): TestFault[] {
    return this.simulation.events.filter((event) => event.type === "fault").map((event) => this.#testFault(event));
  }

  /** Lines that NFs have logged: `info: text`. */
  get logs(): string[] {
    return this.simulation.events.filter((event) => event.type === "log").map(({ level, text }) => `${logLevelName(level)}: ${text}`);
  }

  /** An NF's own counters; of the only NF, or of the entry named. */
  counters(entry = this.#nfs[0]!.entry): Record<string, bigint> {
    const nf = this.simulation.chain.find((candidate) => candidate.entry === entry);
    if (!nf) throw new Error(`the chain has no entry '${entry}'`);
    return nf.counters();
  }

  /** Packets by what became of them; received + emitted = sent + dropped + held. */
  get packets(): { received: number; sent: number; emitted: number; held: number; dropped: Record<string, number> } {
    const { received, sent, emitted, held, dropped } = this.simulation.counters();
    const plain = Object.fromEntries(Object.entries(dropped).map(([reason, n]) => [reason, Number(n)]));
    return { received: Number(received), sent: Number(sent), emitted: Number(emitted), held: Number(held), dropped: plain };
  }

  #poll(packets: InputPacket[]): Verdict[] {
    const from = this.simulation.outcomes.length;
    this.simulation.poll(packets);
    const prefix = this.#nfs.length === 1 ? `${this.#nfs[0]!.entry}.` : "";
    return this.simulation.outcomes.slice(from).map((outcome) => new Verdict(outcome, this.simulation.output, prefix));
  }

  #living(text: string): Flow {
    const found = [...this.simulation.flows.flows].find((flow) => flow.status === "living" && this.#matches(this.simulation.reportOf(flow), text));
    if (found) return found;
    throw new Error(`no flow '${text}' is open`);
  }

  #matches(flow: NativeFlow, text: string): boolean {
    const [, protocol, path] = /^\s*(\w+)\s+(.*)$/s.exec(text) ?? [];
    if (protocol === undefined || path === undefined) throw new TypeError(`'${text}' is no flow; write 'udp 10.0.0.1:1000 > 10.0.0.2:53'`);
    if (protocolName(flow.protocol) !== protocol) return false;
    const { source, destination } = parsePath(path);
    const is = (a: typeof source, b: typeof source) => a.port === b.port && sameAddress(a.address, b.address);
    const { initiator, responder } = flow;
    return (is(initiator, source) && is(responder, destination)) || (is(initiator, destination) && is(responder, source));
  }

  #testFlow(flow: NativeFlow): TestFlow {
    const states: TestFlow["states"] = {};
    this.#nfs.forEach(({ entry, stateSchema }, i) => {
      const slot = flow.states[i]!;
      if (slot.length > 0 && slot.length >= stateSchema.bytes) states[entry] = readState(stateSchema, slot);
    });
    return {
      state: states[this.#nfs[0]!.entry] ?? {},
      states,
      packets: [Number(flow.packets[0]), Number(flow.packets[1])],
      bytes: [Number(flow.bytes[0]), Number(flow.bytes[1])],
      phase: flow.phase,
      closeReason: flow.closeReason,
    };
  }

  #testFault(event: SimulatedFault): TestFault {
    const nf = this.#nfs.find(({ entry }) => entry === event.entry)!;
    const written = event.file !== "" && event.line > 0 && !isOfTheSdk(event.file) ? { file: event.file, line: event.line, column: event.column } : undefined;
    const place = written ?? nf.places.of(event.backtrace);
    return { nf: event.entry, kind: faultKindName(event.kind) as FaultKindName, message: event.message || event.breach, call: event.call, ...place };
  }
}

function flowText({ protocol, ipVersion, initiator, responder }: NativeFlow): string {
  const end = ({ address, port }: { address: string; port: number }) => (ipVersion === 6 ? `[${address}]:${port}` : `${address}:${port}`);
  return `'${protocolName(protocol)} ${end(initiator)} > ${end(responder)}'`;
}
