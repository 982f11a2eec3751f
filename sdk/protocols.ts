/** IP protocols by the names that people write and read. */
export const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132, udplite: 136 };
const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(PROTOCOLS).map(([name, protocol]) => [protocol, name]));

/** Name of an IP protocol; `ip<number>` for those without ports. */
export const protocolName = (protocol: number): string => NAMES.get(protocol) ?? `ip${protocol}`;
