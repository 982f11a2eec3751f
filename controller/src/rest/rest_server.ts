/** The REST API of a cluster. */
import { safeText } from "@nfactor/host/text";
import type { ClusterApi } from "../cluster/cluster_api.ts";
import { type Clock, type Store, systemClock } from "../store/index.ts";
import { type AppParts, createApp } from "./app.ts";
import { AuditLog } from "./audit_log.ts";
import { type Address, HttpServers, type TlsFiles } from "./http_server.ts";
import { DEFAULT_REST_LIMITS, type RestLimits } from "./limits.ts";
import { ControllerMetrics } from "./metrics.ts";
import type { Services } from "./route.ts";
import { ROUTES } from "./routes/index.ts";
import { Scrape } from "./scrape.ts";
import { StreamSlots } from "./streams.ts";
import { ApiTokens } from "./tokens.ts";

export interface RestServerOptions {
  readonly cluster: ClusterApi;
  /** Where tokens and the audit log are. */
  readonly store: Store;
  readonly tokens?: ApiTokens;
  /** What the rest of the controller observes; /metrics shows it. */
  readonly metrics?: ControllerMetrics;
  /** Without it only loopback addresses and Unix sockets are listened on. */
  readonly tls?: TlsFiles | undefined;
  readonly limits?: Partial<RestLimits>;
  readonly clock?: Clock;
  readonly dateMs?: () => number;
  /** Faults of NFActor's own, a line or several each. */
  readonly log?: (text: string) => void;
  readonly onJson?: AppParts["onJson"];
}

export interface RestServer {
  /** On one more address. Returns where: a URL, or the socket's path. Throws NfError (rest.listen). */
  listen(address: Address): Promise<string>;
  /** Streams end with an `end`, what is under way has its time, then all connections are gone. */
  close(): Promise<void>;
}

export async function createRestServer(options: RestServerOptions): Promise<RestServer> {
  const { cluster, store, clock = systemClock, dateMs = Date.now, log = (text) => void process.stderr.write(`${text}\n`), tls, onJson } = options;
  const limits = { ...DEFAULT_REST_LIMITS, ...options.limits };
  const metrics = options.metrics ?? new ControllerMetrics();
  const tokens = options.tokens ?? new ApiTokens(store, { dateMs, max: limits.tokens });
  const slots = new StreamSlots(limits);
  const closing = new AbortController();
  const scrape = new Scrape({ cluster, store, metrics, limits, clock }, () => slots.taken);
  const services: Services = {
    ...{ cluster, store, tokens, metrics, scrape, limits, clock, dateMs },
    audit: await AuditLog.open(store, { dateMs }),
    log: (text) =>
      log(
        text
          .split("\n")
          .map((line) => safeText(line, 2000))
          .join("\n"),
      ),
    closing: closing.signal,
  };
  const app = await createApp({ services, slots, routes: ROUTES, onJson });
  const servers = new HttpServers(app, limits, tls);
  return {
    listen: (address) => servers.listen(address),
    close: async () => {
      closing.abort();
      await servers.close(limits.closeMs, (ms, call) => clock.after(ms, call));
      await app.close();
    },
  };
}
