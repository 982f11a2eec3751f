/** Flows as people write them: `tcp 10.0.0.1:4242 > 10.0.0.2:80`. */
import { isIPv6 } from "node:net";

const NAMES: ReadonlyMap<number, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [58, "icmpv6"],
  [132, "sctp"],
  [136, "udplite"],
]);

/** Name of an IP protocol; `ip<number>` for those without ports. */
export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? `ip${protocol}`;
}

export interface Endpoint {
  address: string;
  port: number;
}

/** `10.0.0.1:80`, `[fd00::1]:80`. For ICMP the port is the identifier. */
export function endpointText({ address, port }: Endpoint): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

export function flowText(key: { protocol: string; initiator: Endpoint; responder: Endpoint; vlan: readonly number[] }): string {
  const vlan = key.vlan.length === 0 ? "" : ` vlan ${key.vlan.join(".")}`;
  return `${key.protocol} ${endpointText(key.initiator)} > ${endpointText(key.responder)}${vlan}`;
}
