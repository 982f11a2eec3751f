/** What happens while something is under way: the events about it, and at the end what became of it. */
import type { ClusterApi, NumberedEvent } from "../cluster/cluster_api.ts";
import type { Answer, StreamItem } from "./route.ts";

/** The operation goes on when its reader goes away; it is settled then as it would have been. */
export async function* progressOf(cluster: ClusterApi, about: string, begin: () => Promise<Answer>): AsyncGenerator<StreamItem> {
  const stop = new AbortController();
  // Watched from before it begins, so that its first event is not missed.
  const events = cluster.watchEvents({ about }, stop.signal)[Symbol.asyncIterator]();
  let event: Promise<IteratorResult<NumberedEvent> | "no more"> = quiet(events);
  const operation = begin();
  const ended = operation.then(
    () => "ended" as const,
    () => "ended" as const,
  );
  try {
    for (;;) {
      const next = await Promise.race([ended, event]);
      if (next === "ended") break;
      if (next === "no more" || next.done === true) event = new Promise(() => undefined);
      else {
        yield { event: "progress", data: next.value };
        event = quiet(events);
      }
    }
    const answer = await operation;
    yield { event: "result", data: answer.kind === "json" ? answer.body : null };
  } finally {
    stop.abort();
    void Promise.resolve(events.return?.()).catch(() => undefined);
  }
}

/** Events are told along the way: without them the operation goes on. */
const quiet = (events: AsyncIterator<NumberedEvent>): Promise<IteratorResult<NumberedEvent> | "no more"> => events.next().catch(() => "no more" as const);
