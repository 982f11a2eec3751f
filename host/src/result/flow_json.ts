/** From what the dataplane counts to the objects of run_result.ts. */
import { type StateSchema, stateToJson } from "@nfactor/sdk/manifest";
import { protocolName } from "@nfactor/sdk/protocols";
import type { NativeFlow, NativeFlowKey } from "../dataplane/native_types.ts";
import type { FlowJson, FlowKeyJson, RunResult } from "./run_result.ts";

/** What is needed of a chain to name the states of its flows. */
export type ChainStates = readonly { entry: string; stateSchema: StateSchema }[];

export function keyJson(key: NativeFlowKey): FlowKeyJson {
  return { protocol: protocolName(key.protocol), initiator: { ...key.initiator }, responder: { ...key.responder }, vlan: [...key.vlan] };
}

/** An NF that has not opened the flow has no entry in `nfs`: its slot is empty. */
export function flowJson(flow: NativeFlow, chain: ChainStates): FlowJson {
  const nfs: FlowJson["nfs"] = {};
  chain.forEach(({ entry, stateSchema }, i) => {
    const slot = flow.states[i];
    if (slot && slot.length >= stateSchema.bytes) nfs[entry] = stateToJson(stateSchema, slot) as FlowJson["nfs"][string];
  });
  return { key: keyJson(flow), packets: pair(flow.packets), bytes: pair(flow.bytes), nfs };
}

const pair = ([a, b]: [bigint, bigint]): [number, number] => [Number(a), Number(b)];

export interface PacketCounts {
  received: bigint | number;
  sent: bigint | number;
  emitted: bigint | number;
  missed: bigint | number;
  held: bigint | number;
  dropped: Readonly<Record<string, bigint | number>>;
  lostInFailure?: bigint | number | undefined;
  maybeSent?: bigint | number | undefined;
}

export function packetsJson(counts: PacketCounts): RunResult["packets"] {
  const dropped: Record<string, number> = {};
  for (const reason of Object.keys(counts.dropped).sort()) if (Number(counts.dropped[reason]) > 0) dropped[reason] = Number(counts.dropped[reason]);
  const [emitted, missed] = [Number(counts.emitted), Number(counts.missed)];
  const [lost, maybeSent] = [Number(counts.lostInFailure ?? 0), Number(counts.maybeSent ?? 0)];
  return {
    received: Number(counts.received),
    sent: Number(counts.sent),
    ...(emitted > 0 ? { emitted } : {}),
    held: Number(counts.held),
    dropped,
    ...(missed > 0 ? { missed } : {}),
    ...(lost > 0 ? { lost_in_failure: lost } : {}),
    ...(maybeSent > 0 ? { maybe_sent: maybeSent } : {}),
  };
}
