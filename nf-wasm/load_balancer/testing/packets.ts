/** Random packets of one flow, built for any pair of endpoints: what goes in, and, with the other endpoints, what has to come out. */
import { type IpOptions, type Random, tcp, udp } from "@nfactor/sdk/test";

export interface End {
  address: string;
  port: number;
}

export type Build = (source: End, destination: End) => Uint8Array;

export const endText = ({ address, port }: End): string => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);
const path = (source: End, destination: End): string => `${endText(source)} > ${endText(destination)}`;

export type Protocol = "tcp" | "udp";

export interface Layers {
  vlan: number[];
  v6: boolean;
  /** With IPv6. */
  hasExtension?: boolean;
}

function layers(r: Random, { vlan, v6, hasExtension = false }: Layers): IpOptions {
  return {
    vlan,
    ...(v6
      ? { extensions: hasExtension ? [[0, [0, 0, 1, 4, 0, 0, 0, 0]] as const] : [] }
      : { ipOptions: r.pick([[], [], [1, 1, 1, 1], Array<number>(40).fill(1)]), dontFragment: r.below(2) === 0, id: r.below(65_536) }),
    ttl: 1 + r.below(255),
    tos: r.below(256),
    padTo: r.pick([0, 60]),
  };
}

/** A packet of either side. An IPv4 datagram without UDP checksum keeps none. */
export function packetOf(r: Random, protocol: Protocol, wanted: Layers): Build {
  const options = layers(r, wanted);
  const payload = r.bytes(r.below(60));
  if (protocol === "udp") {
    const hasChecksum = wanted.v6 || r.below(4) > 0;
    const checksumAt = 34 + 4 * wanted.vlan.length + (options.ipOptions?.length ?? 0) + 6;
    return (source, destination) => {
      const frame = udp(path(source, destination), { ...options, payload });
      if (!hasChecksum) frame.fill(0, checksumAt, checksumAt + 2);
      return frame;
    };
  }
  const segment = {
    flags: r.pick(["S", "SA", "A", "PA"]), // no FIN, no RST: a SYN behind them would begin another flow
    seq: r.below(0xffff_ffff),
    ack: r.below(0xffff_ffff),
    tcpOptions: r.pick([[], [2, 4, 5, 180], [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]]),
    payload,
  };
  return (source, destination) => tcp(path(source, destination), { ...options, ...segment });
}
