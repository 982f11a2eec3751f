/**
 * Events from behind a number on, each once, in order. Numbers have no gaps, so all events are followed, and what is asked for is picked here: what the log
 * did not have any more for a reader that came late, or was slow, is told. So is a number that is still to come: it is of another log, as before an older
 * copy of the store was put back.
 */
import type { ClusterApi, NumberedEvent } from "../cluster/cluster_api.ts";
import { type StreamItem, isOfTenant } from "./route.ts";

export interface EventQuery {
  readonly about: string | undefined;
  /** Undefined: from now on. */
  readonly after: number | undefined;
  /** Only what is about this tenant. */
  readonly bound: string | undefined;
}

export async function* eventsAfter(cluster: Pick<ClusterApi, "events" | "watchEvents">, query: EventQuery, signal: AbortSignal): AsyncGenerator<StreamItem> {
  let last = query.after;
  const newest = last === undefined ? 0 : ((await cluster.events({ limit: 1 })).at(-1)?.number ?? 0);
  if (last !== undefined && last > newest) {
    yield { event: "gap", data: { after: last, before: newest + 1 } };
    last = newest;
  }
  for await (const event of cluster.watchEvents({ after: last }, signal)) {
    const { number } = event;
    if (last !== undefined && number <= last) continue;
    if (last !== undefined && number > last + 1) yield { event: "gap", data: { after: last, before: number } };
    last = number;
    if (isWanted(event, query)) yield { event: "event", id: number, data: event };
  }
}

const isWanted = (event: NumberedEvent, { about, bound }: EventQuery): boolean =>
  (about === undefined || event.about === about || event.about.startsWith(`${about}/`)) && (bound === undefined || isOfTenant(event, bound));
