/** Stories as a pcapng file: each packet as it was at one point of the chain, with what became of it as its comment. */
import { livePcapngHeader, livePcapngPacket } from "@nfactor/sdk/capture";
import type { TraceHop, TracePacket } from "./packet.ts";
import { fateText } from "./text.ts";

/** Section and interface; `point` names the interface. */
export function captureHeader(point: string): Uint8Array {
  return livePcapngHeader({ interface: point, application: "NFActor" });
}

/** Empty when it never came to the point. */
export function captureBlocks(packet: TracePacket): Uint8Array[] {
  let ns = BigInt(packet.at_us) * 1000n;
  const blocks: Uint8Array[] = [];
  for (const hop of packet.hops) {
    ns += BigInt(hop.after_ns ?? 0);
    if (hop.frame === undefined) continue;
    const wireLength = hop.hop === "in" ? Math.max(packet.wire_length, hop.frame.length) : hop.frame.length;
    blocks.push(livePcapngPacket({ timestampNs: ns, bytes: hop.frame, wireLength, comment: fateText(packet), direction: directionOf(hop) }));
  }
  return blocks;
}

const directionOf = ({ hop }: TraceHop): "in" | "out" | undefined => (hop === "in" ? "in" : hop === "out" ? "out" : undefined);
