/** A flow as the host keeps it: docs/packet_path.md, section 4. */
import { type CloseReason, LIMITS } from "../abi/gen/abi.ts";
import { type Packet, Protocol } from "./parse.ts";
import { type Tuple, tupleKey } from "./tuple.ts";

export type FlowPhase = "none" | "opening" | "open" | "closing" | "refused";

export interface IdleMs {
  tcp: number;
  tcpOpening: number;
  tcpClosing: number;
  udp: number;
  icmp: number;
  other: number;
}

export const DEFAULT_IDLE_MS: IdleMs = { tcp: 300_000, tcpOpening: 30_000, tcpClosing: 10_000, udp: 30_000, icmp: 5_000, other: 30_000 };

export const NS_PER_MS = 1_000_000n;
const FIN = 1;
export const SYN = 2;
const RST = 4;
export const ACK = 16;

/** What was decided about a flow and happens when the call is over. */
export interface PendingEnd {
  reason: CloseReason;
  /** The NF that is not told: the one that refused, or that faulted. */
  except: number | undefined;
}

export class Flow {
  readonly number: bigint;
  /** Of the actor, and so of the slots. */
  readonly index: number;
  /** As the initiator sends. */
  readonly tuple: Tuple;
  readonly key: string;
  readonly side: 0 | 1;
  readonly startNs: bigint;
  readonly seed: bigint;
  /** Values leased for it, by NF; 0 = none. */
  readonly leases: number[];
  /** When each NF's timer is due. */
  readonly timers: (bigint | undefined)[];

  status: "living" | "refused" | "ended" = "living";
  phase: FlowPhase;
  packets: [number, number] = [0, 0];
  bytes: [number, number] = [0, 0];
  lastSeenNs: bigint;
  refusedNs = 0n;
  /** Bits by NF: has had its FIRST; passes by it. */
  opened = 0;
  bypass = 0;
  /** Idle time that an NF asked for. */
  timeoutNs: bigint | undefined;
  /** What direction 0 leaves as, once that is fixed. */
  outTuple: Tuple | undefined;
  pendingEnd: PendingEnd | undefined;
  closeReason: CloseReason | undefined;
  /** Slots by NF as they were when the flow ended or was refused. */
  finalStates: Uint8Array[] | undefined;
  #finSeen = 0;

  constructor(number: bigint, index: number, tuple: Tuple, side: 0 | 1, nowNs: bigint, seed: bigint, leases: number[]) {
    this.number = number;
    this.index = index;
    this.tuple = tuple;
    this.key = tupleKey(tuple);
    this.side = side;
    this.startNs = nowNs;
    this.lastSeenNs = nowNs;
    this.seed = seed;
    this.leases = leases;
    this.timers = leases.map(() => undefined);
    this.phase = tuple.protocol === Protocol.TCP ? "opening" : "none";
  }

  /** Counts a packet and gives its sequence number. */
  count(direction: 0 | 1, wireLength: number, nowNs: bigint): number {
    const sequence = this.packets[0] + this.packets[1];
    this.packets[direction] += 1;
    this.bytes[direction] += wireLength;
    this.lastSeenNs = nowNs;
    return sequence;
  }

  /** Phases of TCP only go forward. */
  follow(packet: Packet, direction: 0 | 1): void {
    if (this.phase === "none" || packet.kind !== "packet") return;
    const flags = packet.tcpFlags;
    if (flags & FIN) this.#finSeen |= 1 << direction;
    if (flags & RST || this.#finSeen === 3) this.phase = "closing";
    else if (this.phase === "opening" && direction === 1) this.phase = "open";
  }

  /** When it ends unless something comes, ns. */
  deadline(idle: IdleMs): bigint {
    if (this.status === "refused") return this.refusedNs + BigInt(LIMITS.refused_ms) * NS_PER_MS;
    if (this.phase !== "closing" && this.timeoutNs !== undefined) return this.lastSeenNs + this.timeoutNs;
    return this.lastSeenNs + BigInt(this.#idleMs(idle)) * NS_PER_MS;
  }

  #idleMs(idle: IdleMs): number {
    switch (this.tuple.protocol) {
      case Protocol.TCP:
        return this.phase === "opening" ? idle.tcpOpening : this.phase === "open" ? idle.tcp : idle.tcpClosing;
      case Protocol.UDP:
      case Protocol.UDPLITE:
        return idle.udp;
      case Protocol.ICMP:
      case Protocol.ICMPV6:
        return idle.icmp;
      default:
        return idle.other;
    }
  }
}

/** Deadlines are compared in ticks of 2^20 ns. */
export function tickOf(ns: bigint): bigint {
  return ns >> BigInt(LIMITS.expiry_tick_shift);
}

/** Seed of the random numbers of a flow. */
export function flowSeed(runSeed: bigint, number: bigint): bigint {
  const u64 = (x: bigint) => BigInt.asUintN(64, x);
  let z = u64((runSeed ^ number) + 0x9e3779b97f4a7c15n);
  z = u64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = u64((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
