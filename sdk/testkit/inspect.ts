/** What a test wants to know of a frame that came out. */
import { protocolName } from "../protocols.ts";
import { addressText, type Tuple } from "../simulator/tuple.ts";
import { type Packet, parse, Protocol } from "../simulator/parse.ts";
import { pseudoSum, sum16 } from "./checksum.ts";
import { addressBytes } from "./endpoints.ts";

function packetOf(frame: Uint8Array): Packet {
  const outcome = parse(frame, frame.length);
  if ("packet" in outcome) return outcome.packet;
  throw new TypeError("the frame is no IP packet that parses");
}

/** `udp 10.0.0.1:1000 > 10.0.0.2:53`: what the frame shows; of an ICMP error what it is about, as the receiver of that packet would send. */
export function tupleText(frame: Uint8Array): string {
  return textOf(packetOf(frame).tuple);
}

function textOf({ protocol, source, sourcePort, destination, destinationPort }: Tuple): string {
  const end = (address: string, port: number) => (address.length === 8 ? `${addressText(address)}:${port}` : `[${addressText(address)}]:${port}`);
  return `${protocolName(protocol)} ${end(source, sourcePort)} > ${end(destination, destinationPort)}`;
}

/** What lies between the L4 header and the end of the datagram. */
export function payloadOf(frame: Uint8Array): Uint8Array {
  const { payloadOffset, datagramEnd } = packetOf(frame);
  return frame.slice(payloadOffset, Math.min(datagramEnd, frame.length));
}

/** The header's own bytes from the L4 header on, without payload. */
export function l4Of(frame: Uint8Array): Uint8Array {
  const { l4Offset, payloadOffset } = packetOf(frame);
  return frame.slice(l4Offset, payloadOffset);
}

/** The packet that an ICMP error quotes, from its IP header on. */
export function quotedOf(frame: Uint8Array): Uint8Array {
  const { l4Offset, datagramEnd, kind } = packetOf(frame);
  if (kind !== "icmp_error") throw new TypeError("the frame is no ICMP error");
  return frame.slice(l4Offset + 8, datagramEnd);
}

/** Names of the checksums that are wrong: "ip", "tcp", "udp", "icmp", "icmpv6"; empty when all hold. Fragments have an IP checksum only. */
export function wrongChecksums(frame: Uint8Array): string[] {
  const packet = packetOf(frame);
  const wrong: string[] = [];
  if (packet.ipVersion === 4) {
    const header = frame.subarray(packet.l3Offset, packet.l3Offset + (frame[packet.l3Offset]! & 15) * 4);
    if (sum16(header) !== 0xffff) wrong.push("ip");
  }
  if (packet.fragment || frame.length < packet.datagramEnd) return wrong;
  const l4 = frame.subarray(packet.l4Offset, packet.datagramEnd);
  const { l4Protocol } = packet;
  const isUdpWithout = l4Protocol === Protocol.UDP && packet.ipVersion === 4 && l4[6] === 0 && l4[7] === 0;
  const isChecked = l4Protocol === Protocol.TCP || l4Protocol === Protocol.UDP || l4Protocol === Protocol.ICMP || l4Protocol === Protocol.ICMPV6;
  if (!isChecked || isUdpWithout) return wrong;
  const [source, destination] = [addressBytes(addressText(packet.source)), addressBytes(addressText(packet.destination))];
  const start = l4Protocol === Protocol.ICMP ? 0 : pseudoSum(source, destination, l4Protocol, l4.length);
  if (sum16(l4, start) !== 0xffff) wrong.push(protocolName(l4Protocol));
  return wrong;
}
