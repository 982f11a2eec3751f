/** Random packets of one flow, built for any pair of endpoints: what goes in, and, with the other endpoints, what has to come out. */
import { type IpOptions, type Random, fragments, icmp, icmpEcho, tcp, udp } from "@nfactor/sdk/test";

export const UDP_CHECKSUM = 6;

/** Endpoints as the test kit writes them; of an ICMP query the port is the identifier. */
export interface End {
  address: string;
  port: number;
}

export type Build = (source: End, destination: End) => Uint8Array;

/** Bytes from the start of the frame to the L4 header. */
export function l4At({ vlan = [], ipOptions = [] }: IpOptions): number {
  return 34 + 4 * [vlan].flat().length + ipOptions.length;
}

function layers(r: Random): IpOptions {
  return {
    vlan: r.pick([[], [], [5], [5, 6]]),
    ipOptions: r.pick([[], [], [1, 1, 1, 1], Array<number>(40).fill(1)]),
    ttl: 1 + r.below(255),
    id: r.below(65_536),
    tos: r.below(256),
    dontFragment: r.below(2) === 0,
    padTo: r.pick([0, 60]),
  };
}

const path = (source: End, destination: End): string => `${source.address}:${source.port} > ${destination.address}:${destination.port}`;

/** A datagram without checksum keeps none; one whose sum would be 0 shows 0xffff. */
function udpOf(r: Random, options: IpOptions): Build {
  const payload = r.bytes(r.below(60));
  const hasChecksum = r.below(4) > 0;
  return (source, destination) => {
    const frame = udp(path(source, destination), { ...options, payload });
    if (!hasChecksum) frame.fill(0, l4At(options) + UDP_CHECKSUM, l4At(options) + UDP_CHECKSUM + 2);
    return frame;
  };
}

function tcpOf(r: Random, options: IpOptions): Build {
  const segment = {
    flags: r.pick(["S", "SA", "A", "PA"]), // no FIN, no RST: a SYN behind them would begin another flow
    seq: r.below(0xffff_ffff),
    ack: r.below(0xffff_ffff),
    window: r.below(65_536),
    urgent: r.below(65_536),
    tcpOptions: r.pick([[], [2, 4, 5, 180], [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]]),
    payload: r.bytes(r.below(60)),
  };
  return (source, destination) => tcp(path(source, destination), { ...options, ...segment });
}

/** `isReply`: the answer to an echo, timestamp, information or mask request. */
function icmpOf(r: Random, options: IpOptions, kind: number, isReply: boolean): Build {
  const rest = [...r.bytes(2 + r.below(40))];
  return (source, destination) => {
    const identifier = isReply ? destination.port : source.port;
    const line = `${source.address} > ${destination.address}`;
    return icmp(line, kind === 8 ? (isReply ? 0 : 8) : kind + (isReply ? 1 : 0), 0, [identifier >> 8, identifier & 255, ...rest], options);
  };
}

export type Protocol = "tcp" | "udp" | "icmp";

/** Packets of one flow from the client, and from the server. */
export interface Sides {
  protocol: Protocol;
  vlan: IpOptions["vlan"];
  client: () => Build;
  server: () => Build;
}

export function sidesOf(r: Random): Sides {
  const protocol = r.pick<Protocol>(["tcp", "udp", "icmp"]);
  const vlan = r.pick([[], [], [5], [5, 6]]);
  const kind = r.pick([8, 8, 13, 15, 17]);
  const of = (isReply: boolean): Build => {
    const options = { ...layers(r), vlan };
    return protocol === "tcp" ? tcpOf(r, options) : protocol === "udp" ? udpOf(r, options) : icmpOf(r, options, kind, isReply);
  };
  return { protocol, vlan, client: () => of(false), server: () => of(true) };
}

/** All fragments of a large datagram. */
export function large(protocol: "udp" | "icmp", source: End, destination: End, isReply = false): Uint8Array[] {
  const payload = Uint8Array.from({ length: 3001 }, (_, i) => i * 7);
  const frame =
    protocol === "udp"
      ? udp(path(source, destination), { payload })
      : icmpEcho(`${source.address} > ${destination.address}`, { identifier: isReply ? destination.port : source.port, reply: isReply, payload });
  return fragments(frame, 1400, 77);
}
