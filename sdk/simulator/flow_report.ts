/** Flows as the boundary of the dataplane describes them. */
import type { NativeFlow, NativeFlowKey } from "../../host/src/dataplane/native_types.ts";
import type { Flow } from "./flow.ts";
import { type Tuple, addressText } from "./tuple.ts";

export function tupleJson({ protocol, ipVersion, source, sourcePort, destination, destinationPort, vlan }: Tuple): NativeFlowKey {
  return {
    protocol,
    ipVersion,
    initiator: { address: addressText(source), port: sourcePort },
    responder: { address: addressText(destination), port: destinationPort },
    vlan: [...vlan],
  };
}

/** `states` by NF: as they are now, or as they were at the flow's end. */
export function flowReport(flow: Flow, states: Uint8Array[]): NativeFlow {
  return {
    ...tupleJson(flow.tuple),
    flowId: flow.number,
    runtime: 0,
    packets: [BigInt(flow.packets[0]), BigInt(flow.packets[1])],
    bytes: [BigInt(flow.bytes[0]), BigInt(flow.bytes[1])],
    startNs: flow.startNs,
    lastSeenNs: flow.lastSeenNs,
    phase: flow.phase,
    ...(flow.closeReason === undefined ? {} : { closeReason: flow.closeReason }),
    states,
  };
}
