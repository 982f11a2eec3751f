/** Events from behind a number on, each once, in order; and what is missing where the log does not reach back so far. */
import { NfError } from "@nfactor/sdk/errors";
import type { ClusterApi } from "../cluster/cluster_api.ts";
import { type StreamItem, isOfTenant } from "./route.ts";

export interface EventQuery {
  readonly about: string | undefined;
  /** Undefined: from now on. */
  readonly after: number | undefined;
  /** Only what is about this tenant. */
  readonly bound: string | undefined;
}

export async function* eventsAfter(cluster: ClusterApi, { about, after, bound }: EventQuery, signal: AbortSignal): AsyncGenerator<StreamItem> {
  let last = after;
  for (let gaps = 0; ;) {
    try {
      for await (const event of cluster.watchEvents({ about, after: last }, signal)) {
        if (last !== undefined && event.number <= last) continue;
        last = event.number;
        gaps = 0;
        if (bound === undefined || isOfTenant(event, bound)) yield { event: "event", id: event.number, data: event };
      }
      return;
    } catch (error) {
      if (!(error instanceof NfError) || error.code !== "store.compacted" || ++gaps > GAPS_MAX) throw error;
      // The log begins behind it: the reader is told, and goes on with the oldest there is.
      const oldest = await oldestOf(cluster);
      yield { event: "gap", data: { after: last ?? 0, ...(oldest !== undefined && { before: oldest }) } };
      last = oldest === undefined ? undefined : oldest - 1;
    }
  }
}

const PAGE = 1000;
/** In a row: events that go faster than they can be read. */
const GAPS_MAX = 3;

/** Undefined: there is none at all. */
async function oldestOf(cluster: ClusterApi): Promise<number | undefined> {
  let oldest: number | undefined;
  for (;;) {
    const page = await cluster.events({ before: oldest, limit: PAGE });
    oldest = page[0]?.number ?? oldest;
    if (page.length < PAGE) return oldest;
  }
}
