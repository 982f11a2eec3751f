/**
 * What a cluster can be asked for, whoever asks: the REST API and the command line are made of this. Everything is checked here, so that no way in can leave
 * a check out. All methods reject with NfError; `by` is who asks, in words for the history.
 */
import type { DeployedEntry, DeploymentStatus, HostInfo, Item, Params, Result, RuntimesReport } from "@nfactor/host/cluster";
import type { ArtifactRegistry } from "../artifacts/index.ts";
import type { Deployment, Host, Tenant, ClusterEvent } from "./kinds.ts";
import type { DeploymentInput } from "./deployment_input.ts";
import type { Stored } from "../store/index.ts";

export interface DeploymentView {
  readonly name: string;
  readonly wanted: Stored<Deployment>;
  /** What its host says of it; absent while it is unknown. */
  readonly seen?: DeploymentStatus | undefined;
  readonly runtimes?: RuntimesReport | undefined;
  /** `behind`: its host has not carried out the newest revision yet. */
  readonly state: "running" | "behind" | "failed" | "host_away" | "ending";
  readonly why?: string | undefined;
}

export interface HostView {
  readonly name: string;
  readonly host: Stored<Host>;
  readonly connected: boolean;
  readonly leased: boolean;
  /** Of all deployments, that are there as far as is known. */
  readonly runtimes: number;
  /** What it said last; without the key of its agent, which is for hosts alone. */
  readonly info?: (Omit<HostInfo, "agent"> & { readonly agent?: Omit<NonNullable<HostInfo["agent"]>, "key"> | undefined }) | undefined;
}

export interface DeployOutcome {
  readonly deployment: string;
  readonly revision: number;
  readonly action: "none" | "start" | "swap" | "replace" | "scale";
  readonly dry_run: boolean;
  readonly flows_ended: number;
  /** False: it is stored, and is carried out when its host is there; of `scale`, as load and rooms allow. */
  readonly done: boolean;
  readonly duration_ms: number;
  /** Of the object as this has left it, or found it; 0: there is none. */
  readonly version: number;
}

export interface WriteOptions {
  readonly by: string;
  readonly dryRun?: boolean;
  /** Version of the object that the writer has read; another one is there: store.stale. 0: it is not there yet. */
  readonly version?: number | undefined;
  /** Called when all is checked and it is stored, or the host is asked: from then on events tell what becomes of it. Not of a dry run. */
  readonly onAccepted?: (() => void) | undefined;
}
/** Of what goes straight to a host. */
export type OperationOptions = Pick<WriteOptions, "by" | "onAccepted">;

export interface ClusterApi {
  readonly artifacts: ArtifactRegistry;
  tenants(): Promise<readonly Stored<Tenant>[]>;
  putTenant(name: string, wish: Partial<Pick<Tenant, "runtimes_max" | "deployments_max">>, options: WriteOptions): Promise<Stored<Tenant>>;
  /** Only when it has neither deployments nor artifacts. */
  deleteTenant(name: string, options: WriteOptions): Promise<void>;

  deployments(tenant?: string): Promise<readonly DeploymentView[]>;
  deployment(name: string): Promise<DeploymentView>;
  /**
   * Makes it or changes it; resolves when it runs so, or, when the host is away, when it is stored. What the host refuses beforehand changes nothing. When it
   * fails afterwards, this rejects with what the host says; the wish stays, and is tried again: another one, `rollback` or `undeploy` takes its place.
   */
  deploy(name: string, input: DeploymentInput, options: WriteOptions & { readonly replace?: boolean; readonly signal?: AbortSignal }): Promise<DeployOutcome>;
  /**
   * Also of what a host has and the controller does not know of. `force`: it is forgotten although its host is away; what the host still has when it comes back
   * is left alone and reported.
   */
  undeploy(name: string, options: WriteOptions & { readonly force?: boolean }): Promise<DeployOutcome>;
  /** One entry's NF to another version, on all runtimes. `nf`: a reference as `firewall@1.3.0`. Refused before anything changes when the layouts differ. */
  swap(
    name: string,
    wish: { readonly entry: string; readonly nf: string; readonly config?: unknown; readonly grant?: unknown },
    options: WriteOptions,
  ): Promise<SwapOutcome>;
  /** Back to the newest earlier revision that differs in more than size, or to this one; as a new revision. Its size stays. */
  rollback(name: string, wish: { readonly to?: number | undefined; readonly replace?: boolean | undefined }, options: WriteOptions): Promise<DeployOutcome>;
  /** Bounds of its size; equal ones fix it. */
  scale(name: string, wish: { readonly min: number; readonly max: number }, options: WriteOptions): Promise<DeployOutcome>;

  /** As they are now: its host is asked. What they reported last, a second ago at most, is in `deployment` and `load`. */
  runtimes(name: string): Promise<RuntimesReport>;
  flows(name: string, params: Omit<Params<"flows">, "deployment">): Promise<Result<"flows">>;
  migrate(name: string, params: Omit<Params<"migrate_flows">, "deployment">, options: OperationOptions): Promise<Result<"migrate_flows">>;
  drain(name: string, params: Omit<Params<"drain">, "deployment">, options: OperationOptions): Promise<Result<"drain">>;
  undrain(name: string, params: Omit<Params<"undrain">, "deployment">, options: OperationOptions): Promise<Result<"undrain">>;
  recover(name: string, params: Omit<Params<"recover">, "deployment">, options: OperationOptions): Promise<Result<"recover">>;
  trace(name: string, params: Omit<Params<"trace">, "deployment">, signal: AbortSignal): AsyncIterable<TraceEvent>;
  capture(name: string, params: Omit<Params<"capture">, "deployment">, signal: AbortSignal): AsyncIterable<Uint8Array>;

  hosts(): Promise<readonly HostView[]>;
  host(name: string): Promise<HostView>;
  /** A token with which a host of that name joins, and where: none when the controller takes no hosts of other machines. */
  joinToken(
    host: string,
    options: { readonly by: string },
  ): Promise<{ readonly token: string; readonly until_ms: number; readonly controller: readonly string[] }>;
  cordon(host: string, cordoned: boolean, options: WriteOptions): Promise<Stored<Host>>;
  /** Cordons it, and resolves when nothing is left on it that can leave; says what cannot (deployments whose ports it has). */
  drainHost(host: string, options: WriteOptions & { readonly signal?: AbortSignal }): Promise<{ readonly moved: number; readonly left: readonly string[] }>;
  /**
   * Its certificates are worth nothing any more, and it is no peer of any deployment: what was there counts as ended. Refused while deployments have it as
   * their host (undeploy them, with `force` when it is gone), or runtimes that work (drain it).
   */
  removeHost(host: string, options: WriteOptions): Promise<void>;

  /** The newest last. `about`: all of a tenant, when it is one's name. */
  events(query: { readonly about?: string | undefined; readonly before?: number | undefined; readonly limit: number }): Promise<readonly NumberedEvent[]>;
  /** Those after `after`, or from now on. */
  watchEvents(query: { readonly about?: string | undefined; readonly after?: number | undefined }, signal: AbortSignal): AsyncIterable<NumberedEvent>;
  /** Loads as they come in, for `top` and metrics. */
  load(): readonly { readonly deployment: string; readonly report: RuntimesReport }[];
  health(): Promise<{ readonly ok: boolean; readonly store: string; readonly hosts: number; readonly hosts_connected: number }>;
}

export type NumberedEvent = ClusterEvent & { readonly number: number };
export type SwapOutcome = DeployOutcome & {
  /** What the host says of it: flows, pause. Absent while it is not done, or when more than the one entry was behind. */
  readonly swap?: Result<"swap"> | undefined;
  readonly nf: DeployedEntry["nf"];
};
/** `lost`: so many were lost here, since they came faster than they were read. `totals`: the last one, when the host says how it ended. */
export type TraceEvent = Item<"trace"> | { readonly lost: number } | { readonly totals: Result<"trace"> };
