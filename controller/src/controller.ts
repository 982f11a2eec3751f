/**
 * A controller: its store, the registry of NFs, where hosts connect, and the cluster, in one folder of one process. `close()` ends all of it; what was under
 * way goes on when it is opened again.
 */
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "@nfactor/host/clock";
import { endpointText } from "@nfactor/host/identity";
import type { HOST_METHODS, SessionOptions } from "@nfactor/host/session";
import { NfError } from "@nfactor/sdk/errors";
import { ArtifactRegistry, type RegistryOptions } from "./artifacts/index.ts";
import { Cluster, referenceSources } from "./cluster/index.ts";
import { TENANT } from "./cluster/kinds.ts";
import { repeat } from "./cluster/repeat.ts";
import { ControllerMetrics } from "./rest/metrics.ts";
import { Authority, Enrolment, Listener } from "./rpc/index.ts";
import { type Store, openSqliteStore } from "./store/index.ts";

export interface ControllerOptions {
  /** Everything of it is in there: `store.db`, `blobs`, and the socket for hosts of this machine. */
  readonly folder: string;
  /** By default that in the folder. It is closed with the controller. */
  readonly store?: Store;
  /** Path of the socket for hosts of this machine; `false`: none. */
  readonly unix?: string | false;
  /** Where hosts of other machines connect; by default nowhere. */
  readonly tls?: { readonly host: string; readonly port: number };
  readonly clock?: Clock;
  /** Milliseconds of the date. */
  readonly dateMs?: () => number;
  readonly session?: Partial<SessionOptions<typeof HOST_METHODS>>;
  readonly registry?: Partial<Pick<RegistryOptions, "admit" | "quotaOf" | "grantOf" | "limits">>;
  /** What nobody waits for went wrong, and who was not let in. */
  readonly onTrouble?: (why: NfError) => void;
}

export interface Controller {
  readonly store: Store;
  readonly registry: ArtifactRegistry;
  readonly authority: Authority;
  readonly enrolment: Enrolment;
  readonly listener: Listener;
  readonly cluster: Cluster;
  /** What it observes; the REST server shows it. */
  readonly metrics: ControllerMetrics;
  /** Where hosts of this machine connect. */
  readonly unix: string | undefined;
  /** Of `tls`, as it was given by the system for 0. */
  readonly port: number | undefined;
  close(): Promise<void>;
}

/** Of what listens everywhere: all of the machine's that others may reach. */
function addressesOf(host: string | undefined, port: number | undefined): string[] {
  if (host === undefined || port === undefined) return [];
  const isAnywhere = host === "0.0.0.0" || host === "::";
  const all = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  const reachable = all.filter(({ internal, family, scopeid }) => !internal && !scopeid && (host === "::" || family === "IPv4"));
  const hosts = isAnywhere ? reachable.map(({ address }) => address) : [host];
  return hosts.map((one) => endpointText({ host: one, port }));
}

const COLLECT_MS = 6 * 3_600_000;
export const SOCKET = "controller.sock";

/** Throws NfError (of the areas store and artifact; rpc.listen); then nothing of it is left open. */
export async function openController(options: ControllerOptions): Promise<Controller> {
  const { folder, clock = systemClock, dateMs = Date.now, onTrouble = () => undefined } = options;
  const store = options.store ?? openSqliteStore(join(folder, "store.db"), { clock });
  const undo: (() => Promise<void> | void)[] = [() => store.close()];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  let port: number | undefined;
  try {
    const registry = await ArtifactRegistry.open({
      ...options.registry,
      tenantKey: (tenant) => TENANT.prefix + tenant,
      store,
      folder: join(folder, "blobs"),
      sources: referenceSources(store),
      clock,
      dateMs,
    });
    const metrics = new ControllerMetrics();
    const authority = await Authority.open(store, dateMs);
    const enrolment: Enrolment = new Enrolment({ store, authority, nowMs: dateMs, onRevoked: (host, serials) => listener.end(host, serials) });
    const cluster: Cluster = await Cluster.open({
      ...{ store, artifacts: registry, enrolment, clock, dateMs, metrics, onTrouble, addresses: () => addressesOf(options.tls?.host, port) },
      sessions: { sessionOf: (host) => listener.sessionOf(host), sessionsOf: (host) => listener.sessionsOf(host) },
    });
    const listener: Listener = new Listener({
      ...{ enrolment, clock, nowMs: dateMs, handlers: cluster.handlers },
      session: { onCalled: (method, outcome, ms) => metrics.observeRpc(method, outcome, ms / 1000), ...options.session },
      onSession: (session) => cluster.onSession(session),
      onRefused: (from, why) => onTrouble(new NfError(why.code, `${from}: ${why.message}`, { cause: why })),
    });
    undo.push(() => listener.close());
    // Before the connections: their end is no news then.
    undo.push(() => cluster.close());
    const unix = options.unix === false ? undefined : (options.unix ?? join(folder, SOCKET));
    if (unix !== undefined) await listener.listenUnix(unix);
    port = options.tls && (await listener.listenTls(options.tls));
    undo.push(
      repeat(clock, COLLECT_MS, () =>
        registry.collect().then(
          () => undefined,
          (error: unknown) => onTrouble(error as NfError),
        ),
      ),
    );
    return { store, registry, authority, enrolment, listener, cluster, metrics, unix, port, close };
  } catch (error) {
    await close();
    throw error;
  }
}
