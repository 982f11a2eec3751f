/** A whole run over packets of a capture: polls as docs/packet_path.md, section 1 makes them, and the sides of section 8. */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { LIMITS } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { parse } from "./parse.ts";
import type { SimulationReport } from "./report.ts";
import { type InputPacket, Simulation, type SimulationOptions } from "./simulation.ts";
import { addressText } from "./tuple.ts";

export interface SimulateOptions extends SimulationOptions {
  /** Prefixes whose addresses are on the client's side; without them all packets come from there. */
  clientCidrs?: readonly string[];
}

/** Runs the packets through the chain and ends the run. Throws NfError when an NF cannot start. */
export function simulate(options: SimulateOptions, packets: Iterable<InputPacket>): SimulationReport {
  const simulation = new Simulation(options);
  const sideOf = sides(options.clientCidrs ?? []);
  let poll: InputPacket[] = [];
  const gap = BigInt(LIMITS.poll_gap_ns);
  for (const packet of packets) {
    const first = poll[0];
    if (first && (poll.length === LIMITS.burst_packets || packet.timestampNs > first.timestampNs + gap)) {
      simulation.poll(poll);
      poll = [];
    }
    poll.push({ ...packet, port: packet.port ?? sideOf(packet) });
  }
  simulation.poll(poll);
  simulation.end();
  return simulation.report();
}

/** Which port a packet comes in on, by its source address. */
export function sides(cidrs: readonly string[]): (packet: InputPacket) => 0 | 1 {
  if (cidrs.length === 0) return () => 0;
  const list = new BlockList();
  for (const cidr of cidrs) addPrefix(list, cidr);
  return ({ bytes, wireLength }) => {
    const outcome = parse(bytes, wireLength);
    if (!("packet" in outcome)) return 0;
    const { source, ipVersion } = outcome.packet;
    return list.check(addressText(source), ipVersion === 4 ? "ipv4" : "ipv6") ? 0 : 1;
  };
}

function addPrefix(list: BlockList, cidr: string): void {
  const [address = "", bits, ...rest] = cidr.split("/");
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (rest.length > 0 || !(length >= 0 && length <= most)) {
    throw new NfError("config.prefix", `'${cidr}' is no address or prefix`, { allowed: "an address, or address/length: 10.0.0.0/8, 2001:db8::/32" });
  }
  list.addSubnet(address, length, most === 32 ? "ipv4" : "ipv6");
}
