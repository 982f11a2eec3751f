/** All flows of a dataplane, a page at a time: the lcores copy them between bursts. */
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { NativeFlow } from "../dataplane/native_types.ts";

const PAGE_FLOWS = 512;

/** Of one runtime, or of all. A flow that moves meanwhile may be seen twice, or not at all. Throws NfError runtime.unknown, runtime.direct, runtime.ended. */
export async function* eachFlow(dataplane: Dataplane, runtime?: number): AsyncGenerator<NativeFlow> {
  for (let cursor: number | undefined; ;) {
    const options = { limit: PAGE_FLOWS, ...(cursor === undefined ? {} : { cursor }), ...(runtime === undefined ? {} : { runtime }) };
    const page = await dataplane.flows(options);
    yield* page.flows;
    cursor = page.next;
    if (cursor === undefined) return;
  }
}
