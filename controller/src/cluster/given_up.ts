/** A host that is removed for good is no place of any deployment any more. */
import type { Collection } from "../store/index.ts";
import type { EventLog } from "./event_log.ts";
import { type Deployment, GONE_KEPT } from "./kinds.ts";
import type { Mirror } from "./mirror.ts";

export interface GivenUpOptions {
  readonly collection: Collection<Deployment>;
  readonly mirror: Mirror<Deployment>;
  readonly events: EventLog;
}

/**
 * Its deployments' own hosts are told, as soon as they are there, that nothing comes back from it: what was there counts as ended, and numbers of runtimes are
 * free again. Asked again, it goes on where it was.
 */
export async function giveUpHost(host: string, by: string, { collection, mirror, events }: GivenUpOptions): Promise<void> {
  for (const { name, object } of [...mirror.all]) {
    if (!object.peers.some((peer) => peer.host === host)) continue;
    const { version } = await collection.modify(name, (now) => ({
      ...now,
      peers: now.peers.filter((peer) => peer.host !== host),
      gone: [...now.gone.filter((one) => one !== host), host].slice(-GONE_KEPT),
    }));
    await mirror.reached(version);
    events.add("deployment", name, "warning", `host ${host} is none of its hosts any more, since ${by} has removed it: what was there counts as ended`);
  }
}
