/** Compares what leaves with what a flow's packets have to look like, and installs return keys: docs/packet_path.md, section 7. */
import { DropReason } from "../abi/gen/abi.ts";
import type { FlowTable } from "./flow_table.ts";
import type { Job } from "./job.ts";
import { type Tuple, reversed, tupleKey } from "./tuple.ts";

/** `none` when the job may leave. */
export function checkOutTuple(job: Job, flows: FlowTable): DropReason {
  const { flow, direction, packet, kind } = job;
  if (packet.kind === "icmp_error" || kind === "emitted") return DropReason.none;
  const isLater = packet.kind === "later_fragment";
  if (direction === 1) return matches(packet.tuple, reversed(flow.tuple), isLater);
  if (flow.outTuple) return matches(packet.tuple, flow.outTuple, isLater);
  if (isLater || kind === "reply") return DropReason.none;
  if (tupleKey(packet.tuple) !== flow.key && !flows.addAlias(flow, reversed(packet.tuple))) return DropReason.alias_conflict;
  flow.outTuple = packet.tuple;
  return DropReason.none;
}

function matches(found: Tuple, wanted: Tuple, addressesOnly: boolean): DropReason {
  const same = addressesOnly ? found.source === wanted.source && found.destination === wanted.destination : tupleKey(found) === tupleKey(wanted);
  return same ? DropReason.none : DropReason.key_changed;
}
