/** Flows as people write them: `tcp 10.0.0.1:4242 > 10.0.0.2:80`. */
import { isIPv6 } from "node:net";

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
