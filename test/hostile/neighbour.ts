/** A well-behaved NF next to a hostile one: keeps the secret in each flow's state, and counts its packets. */
import { bareComponent, metadataOf } from "../../sdk/admission/testing/artifact.ts";
import { assemble } from "./assemble.ts";
import { SECRET } from "./traffic.ts";

const NEIGHBOUR = `(func $packet (param $result i32) (param $descriptor i32)
  (i64.store (i32.load offset={{record.descriptor.state}} (local.get $descriptor)) (i64.const ${Buffer.from(SECRET).readBigUInt64LE()}))
  (i64.store (i32.const {{result.counters}}) (i64.add (i64.load (i32.const {{result.counters}})) (i64.const 1)))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))`;

export function buildNeighbour(): Uint8Array {
  const core = assemble({ text: NEIGHBOUR, stateBytes: 8, heapPages: 1, omit: [], allFeatures: false });
  return bareComponent(core, metadataOf({ name: "neighbour", counters: ["packets"] }, 8));
}
