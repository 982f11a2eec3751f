/** What goes straight to the host that has a deployment: looks at flows, moves by hand, recovery, traces, captures. */
import { randomUUID } from "node:crypto";
import type { Clock } from "@nfactor/host/clock";
import type { Params, Result } from "@nfactor/host/cluster";
import type { HostSession } from "@nfactor/host/identity";
import { type CallName, type HOST_METHODS, type ParamsOf, type ResultOf, type Sessions, callAgain } from "@nfactor/host/session";
import { plural } from "@nfactor/host/text";
import type { Collection } from "../store/index.ts";
import type { ClusterApi, OperationOptions, TraceEvent } from "./cluster_api.ts";
import { away } from "./deployments.ts";
import type { EventLog } from "./event_log.ts";
import type { Deployment } from "./kinds.ts";
import { requireDeploymentName } from "./names.ts";
import type { ScalingLoop } from "./scaling_loop.ts";

export interface OperationsOptions {
  readonly clock: Clock;
  readonly deployments: Collection<Deployment>;
  readonly sessionOf: (host: string) => HostSession | undefined;
  readonly sessionsOf: (host: string) => Sessions<typeof HOST_METHODS>;
  readonly scaling: ScalingLoop;
  readonly events: EventLog;
}

type Own<N extends keyof typeof HOST_METHODS> = Omit<Params<N>, "deployment">;

/** Moving all flows of a runtime may take long. */
const LONG_MS = 600_000;
const SHORT_MS = 60_000;
const LOOK_MS = 10_000;

export class Operations implements Pick<ClusterApi, "runtimes" | "flows" | "migrate" | "drain" | "undrain" | "recover" | "trace" | "capture"> {
  readonly #options: OperationsOptions;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  async runtimes(name: string): Promise<Result<"poll_load">> {
    return this.#call(await this.#hostOf(name), "poll_load", { deployment: name }, LOOK_MS);
  }

  async flows(name: string, params: Own<"flows">): Promise<Result<"flows">> {
    return this.#call(await this.#hostOf(name), "flows", { ...params, deployment: name }, SHORT_MS);
  }

  async migrate(name: string, params: Own<"migrate_flows">, { by, onAccepted }: OperationOptions): Promise<Result<"migrate_flows">> {
    const host = await this.#hostOf(name);
    const ask = (dry_run: boolean): Promise<Result<"migrate_flows">> =>
      this.#call(host, "migrate_flows", { ...params, dry_run, deployment: name }, LONG_MS, randomUUID());
    if (params.dry_run) return ask(true);
    const run = this.#accepted(name, "moving flows", ask, onAccepted);
    const result = await this.#options.scaling.byHand(name, [params.from, params.to], "move", run);
    this.#tell(
      name,
      `${plural(result.moved, "flow")} moved from runtime ${params.from} to ${params.to} by ${by}${result.failed > 0 ? `, ${result.failed} have stayed` : ""}`,
    );
    return result;
  }

  async drain(name: string, params: Own<"drain">, { by, onAccepted }: OperationOptions): Promise<Result<"drain">> {
    const host = await this.#hostOf(name);
    const ask = (dry_run: boolean): Promise<Result<"drain">> => this.#call(host, "drain", { ...params, dry_run, deployment: name }, LONG_MS, randomUUID());
    if (params.dry_run) return ask(true);
    // What is refused leaves no trace, neither in the events nor with scaling, which would take it for drained by hand from then on.
    await ask(true);
    onAccepted?.();
    this.#tell(name, `runtime ${params.runtime} is drained by ${by}: it stays so until it is undrained`);
    return this.#options.scaling.byHand(name, [params.runtime, ...params.to], "drain", this.#told(name, `draining runtime ${params.runtime}`, ask));
  }

  async undrain(name: string, params: Own<"undrain">, { by }: OperationOptions): Promise<Result<"undrain">> {
    const host = await this.#hostOf(name);
    const run = (): Promise<Result<"undrain">> => this.#call(host, "undrain", { ...params, deployment: name }, SHORT_MS, randomUUID());
    const result = await this.#options.scaling.byHand(name, [params.runtime], "undrain", run);
    this.#tell(name, `runtime ${params.runtime} takes flows again, by ${by}`);
    return result;
  }

  async recover(name: string, params: Own<"recover">, { by, onAccepted }: OperationOptions): Promise<Result<"recover">> {
    const host = await this.#hostOf(name);
    const ask = (dry_run: boolean): Promise<Result<"recover">> => this.#call(host, "recover", { ...params, dry_run, deployment: name }, SHORT_MS, randomUUID());
    if (params.dry_run) return ask(true);
    const result = await this.#accepted(name, `recovering runtime ${params.runtime}`, ask, onAccepted)();
    this.#tell(name, `flows of runtime ${params.runtime} recovered by ${by}: ${result.recovered} go on, ${result.lost} are lost`);
    return result;
  }

  async *trace(name: string, params: Own<"trace">, signal: AbortSignal): AsyncGenerator<TraceEvent, void> {
    const session = this.#session(await this.#hostOf(name));
    const stream = session.open("trace", { ...params, deployment: name }, { signal });
    for await (const event of stream) yield event.type === "item" ? event.item : { lost: event.lost };
    yield { totals: await stream.result };
  }

  async *capture(name: string, params: Own<"capture">, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const session = this.#session(await this.#hostOf(name));
    for await (const event of session.open("capture", { ...params, deployment: name }, { signal })) if (event.type === "item") yield event.item;
  }

  /** Throws NfError (store.name, store.not_found, cluster.host_away). */
  async #hostOf(name: string): Promise<string> {
    requireDeploymentName(name);
    const { object } = await this.#options.deployments.get(name);
    this.#session(object.host);
    return object.host;
  }

  #session(host: string): HostSession {
    const session = this.#options.sessionOf(host);
    if (!session?.isOpen) throw away(host);
    return session;
  }

  #call<N extends CallName<typeof HOST_METHODS>>(
    host: string,
    method: N,
    params: ParamsOf<(typeof HOST_METHODS)[N]>,
    deadlineMs: number,
    key?: string,
  ): Promise<ResultOf<(typeof HOST_METHODS)[N]>> {
    return callAgain(this.#options.sessionsOf(host), this.#options.clock, method, params, { deadlineMs, key });
  }

  /** Who does not wait has it checked by a dry run first, so that what is refused is refused to them; how it fails afterwards is told by an event. */
  #accepted<R>(name: string, what: string, ask: (dryRun: boolean) => Promise<R>, onAccepted: (() => void) | undefined): () => Promise<R> {
    if (!onAccepted) return () => ask(false);
    return async () => {
      await ask(true);
      onAccepted();
      return this.#told(name, what, ask)();
    };
  }

  #told<R>(name: string, what: string, ask: (dryRun: boolean) => Promise<R>): () => Promise<R> {
    return async () => {
      try {
        return await ask(false);
      } catch (error) {
        this.#options.events.add("operation", name, "error", `${what} has failed: ${error instanceof Error ? error.message : String(error)}`);
        throw error;
      }
    };
  }

  #tell(name: string, text: string): void {
    this.#options.events.add("operation", name, "info", text);
  }
}
