/** Virtual reassembly: later fragments go with the flow of their datagram's first one. docs/packet_path.md, section 5. */
import { LIMITS } from "../abi/gen/abi.ts";
import type { Flow } from "./flow.ts";
import type { FlowHit } from "./flow_table.ts";
import type { Packet } from "./parse.ts";

interface Entry<Held> {
  createdNs: bigint;
  /** Undefined while the first fragment has not come. */
  hit: FlowHit | undefined;
  held: Held[];
}

/** `Held` is a packet that waits. */
export class FragmentTable<Held> {
  /** In order of creation. */
  readonly #entries = new Map<string, Entry<Held>>();
  #heldCount = 0;

  get held(): number {
    return this.#heldCount;
  }

  /** A first fragment that belongs to a flow; gives the fragments that have waited for it. */
  first(packet: Packet, flow: Flow, direction: 0 | 1, nowNs: bigint): Held[] {
    const key = datagramKey(packet);
    const known = this.#entries.get(key);
    if (!known && this.#entries.size >= LIMITS.fragment_datagrams_max) return [];
    const held = known?.held ?? [];
    this.#heldCount -= held.length;
    this.#entries.delete(key);
    this.#entries.set(key, { createdNs: nowNs, hit: { flow, direction }, held: [] });
    return held;
  }

  /** A later fragment: where it belongs, or that it waits, or that there is no room. */
  later(packet: Packet, item: Held, nowNs: bigint): FlowHit | "held" | "overflow" {
    const key = datagramKey(packet);
    const known = this.#entries.get(key);
    if (known?.hit) return known.hit;
    if (this.#heldCount >= LIMITS.fragment_held_max) return "overflow";
    if (known ? known.held.length >= LIMITS.fragment_held_per_datagram_max : this.#entries.size >= LIMITS.fragment_datagrams_max) return "overflow";
    const entry = known ?? { createdNs: nowNs, hit: undefined, held: [] };
    entry.held.push(item);
    if (!known) this.#entries.set(key, entry);
    this.#heldCount += 1;
    return "held";
  }

  /** Ends entries whose time is over; gives what they held. */
  expire(nowNs: bigint): Held[] {
    const dropped: Held[] = [];
    for (const [key, entry] of this.#entries) {
      if (nowNs < entry.createdNs + BigInt(LIMITS.fragment_timeout_ns)) break;
      this.#entries.delete(key);
      dropped.push(...entry.held);
    }
    this.#heldCount -= dropped.length;
    return dropped;
  }

  /** Ends all entries; gives what they held. */
  drain(): Held[] {
    const dropped = [...this.#entries.values()].flatMap(({ held }) => held);
    this.#entries.clear();
    this.#heldCount = 0;
    return dropped;
  }
}

function datagramKey({ ipVersion, source, destination, fragment, tuple }: Packet): string {
  return `${ipVersion}/${fragment!.protocol}/${tuple.vlan.join(".")}/${source}>${destination}/${fragment!.identification}`;
}
