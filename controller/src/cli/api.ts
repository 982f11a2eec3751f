/** The API's routes as methods; what they answer has the types of its own schemas. What an object is called was checked before, or is refused there. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Params, Result } from "@nfactor/host/cluster";
import { NfError } from "@nfactor/sdk/errors";
import type { z } from "zod";
import type { Tenant } from "../cluster/kinds.ts";
import type { acceptedView } from "../rest/accepted.ts";
import type * as views from "../rest/views.ts";
import { ApiClient, type ApiClientOptions } from "./api_client.ts";
import { multipart } from "./multipart.ts";

export type DeploymentJson = z.output<typeof views.deploymentView>;
export type RevisionsJson = z.output<typeof views.revisionsView>;
export type OutcomeJson = z.output<typeof views.outcomeView>;
export type SwapJson = z.output<typeof views.swapView>;
export type HostJson = z.output<typeof views.hostView>;
export type TenantJson = z.output<typeof views.tenantView>;
export type TokenJson = z.output<typeof views.tokenView>;
export type ArtifactJson = z.output<typeof views.artifactView>;
export type EventJson = z.output<typeof views.eventView>;
export type AuditJson = z.output<typeof views.auditView>;

export interface HealthJson {
  readonly ok: boolean;
  /** What follows is for tokens of all tenants. */
  readonly store?: string;
  readonly hosts?: number;
  readonly hosts_connected?: number;
}

export interface NfJson {
  readonly name: string;
  readonly newest: string;
  readonly versions: number;
}

export interface Pushed {
  readonly component: Uint8Array;
  readonly sourceMap: string | undefined;
  /** Of the component, SHA-256 in hex. */
  readonly digest: string;
}

export interface Wish {
  readonly dryRun?: boolean | undefined;
  /** Flows may end. */
  readonly replace?: boolean | undefined;
  /** Forget it although its host is away. */
  readonly force?: boolean | undefined;
  /** Of the object that was looked at; "none": there was none. */
  readonly version?: number | "none" | undefined;
  readonly timeoutMs?: number | undefined;
}

export type AcceptedJson = z.output<typeof acceptedView>;

/** Of what lasts. */
export interface Lasting extends Wish {
  /** False: nobody waits for its end. */
  readonly wait?: boolean;
  /** Of what nobody waits for: it goes on, and this says where it can be looked at. The answer is undefined then. */
  readonly onAccepted?: (accepted: AcceptedJson) => void;
  /** What happens meanwhile, in words. */
  readonly onProgress?: (text: string) => void;
}

const EVENT_RETRY_MS = 1000;
const PAGE = 100;
/** Of one question. */
const EVENTS_PAGE = 1000;

export class Api {
  readonly #client: ApiClient;

  constructor(options: ApiClientOptions) {
    this.#client = new ApiClient(options);
  }

  get address(): string {
    return this.#client.address.shown;
  }

  close(): void {
    this.#client.close();
  }

  health(): Promise<HealthJson> {
    return this.#client.get("/v1/health");
  }

  whoAmI(): Promise<TokenJson> {
    return this.#client.get("/v1/whoami");
  }

  async tenants(): Promise<readonly TenantJson[]> {
    return (await this.#client.get<{ tenants: TenantJson[] }>("/v1/tenants")).tenants;
  }

  putTenant(name: string, bounds: Partial<Pick<Tenant, "runtimes_max" | "deployments_max">>): Promise<TenantJson> {
    return this.#ask("PUT", path`/v1/tenants/${name}`, bounds);
  }

  deleteTenant(name: string): Promise<unknown> {
    return this.#ask("DELETE", path`/v1/tenants/${name}`);
  }

  async deployments(tenant?: string): Promise<readonly DeploymentJson[]> {
    const route = tenant === undefined ? "/v1/deployments" : path`/v1/tenants/${tenant}/deployments`;
    return (await this.#client.get<{ deployments: DeploymentJson[] }>(route)).deployments;
  }

  deployment(name: string): Promise<DeploymentJson> {
    return this.#client.get(of(name));
  }

  revisions(name: string): Promise<RevisionsJson> {
    return this.#client.get(`${of(name)}/versions`);
  }

  deploy(name: string, input: object, wish: Lasting): Promise<OutcomeJson | undefined> {
    return this.#last("PUT", of(name), input, wish);
  }

  undeploy(name: string, wish: Lasting): Promise<OutcomeJson | undefined> {
    return this.#last("DELETE", of(name), undefined, wish);
  }

  swap(
    name: string,
    body: { readonly entry: string; readonly nf: string; readonly config?: unknown; readonly grant?: unknown },
    wish: Lasting,
  ): Promise<SwapJson | undefined> {
    return this.#last("POST", `${of(name)}/swap`, body, wish);
  }

  rollback(name: string, body: { readonly to?: number | undefined; readonly replace?: boolean | undefined }, wish: Lasting): Promise<OutcomeJson | undefined> {
    return this.#last("POST", `${of(name)}/rollback`, body, wish);
  }

  scale(name: string, body: { readonly min: number; readonly max: number }, wish: Lasting): Promise<OutcomeJson | undefined> {
    return this.#last("POST", `${of(name)}/scale`, body, wish);
  }

  runtimes(name: string): Promise<Result<"poll_load">> {
    return this.#client.get(`${of(name)}/runtimes`);
  }

  flows(name: string, { match, limit, runtime }: Omit<Params<"flows">, "deployment">): Promise<Result<"flows">> {
    return this.#client.get(`${of(name)}/flows`, { query: { match, limit, runtime } });
  }

  migrate(name: string, { dry_run, ...body }: Omit<Params<"migrate_flows">, "deployment">, wish: Lasting): Promise<Result<"migrate_flows"> | undefined> {
    return this.#last("POST", `${of(name)}/migrate`, body, { ...wish, dryRun: dry_run });
  }

  drain(name: string, { dry_run, ...body }: Omit<Params<"drain">, "deployment">, wish: Lasting): Promise<Result<"drain"> | undefined> {
    return this.#last("POST", `${of(name)}/drain`, body, { ...wish, dryRun: dry_run });
  }

  undrain(name: string, body: Omit<Params<"undrain">, "deployment">): Promise<Result<"undrain">> {
    return this.#ask("POST", `${of(name)}/undrain`, body);
  }

  recover(name: string, { dry_run, ...body }: Omit<Params<"recover">, "deployment">, wish: Lasting): Promise<Result<"recover"> | undefined> {
    return this.#last("POST", `${of(name)}/recover`, body, { ...wish, dryRun: dry_run });
  }

  /** Hops of packets, as they come. */
  async *trace(name: string, body: Omit<Params<"trace">, "deployment">, signal: AbortSignal): AsyncGenerator<unknown> {
    for await (const { data } of this.#client.stream(`${of(name)}/trace`, { method: "POST", body, signal })) yield data;
  }

  /** Parts of a pcapng file. */
  capture(name: string, body: Omit<Params<"capture">, "deployment">, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    return this.#client.bytes(`${of(name)}/capture`, { method: "POST", body, signal, headers: { accept: "application/x-pcapng" } });
  }

  async hosts(): Promise<readonly HostJson[]> {
    return (await this.#client.get<{ hosts: HostJson[] }>("/v1/hosts")).hosts;
  }

  /** None for tokens of a tenant: hosts belong to no tenant. */
  /** Undefined: they are not for this token. */
  async hostsIfAllowed(): Promise<readonly HostJson[] | undefined> {
    try {
      return await this.hosts();
    } catch (error) {
      if (error instanceof NfError && error.code === "rest.forbidden") return undefined;
      throw error;
    }
  }

  joinToken(host: string): Promise<{ readonly host: string; readonly token: string; readonly until: number; readonly controller: readonly string[] }> {
    return this.#ask("POST", path`/v1/hosts/${host}/join_token`);
  }

  cordon(host: string, isCordon: boolean): Promise<object> {
    return this.#ask("POST", isCordon ? path`/v1/hosts/${host}/cordon` : path`/v1/hosts/${host}/uncordon`);
  }

  drainHost(
    host: string,
    wish: Lasting,
  ): Promise<{ readonly host: string; readonly dry_run: boolean; readonly moved: number; readonly left: readonly string[] } | undefined> {
    return this.#last("POST", path`/v1/hosts/${host}/drain`, undefined, wish);
  }

  removeHost(host: string): Promise<object> {
    return this.#ask("DELETE", path`/v1/hosts/${host}`);
  }

  nfs(tenant: string): Promise<readonly NfJson[]> {
    return this.#pages(path`/v1/tenants/${tenant}/artifacts`);
  }

  versions(tenant: string, nf: string): Promise<readonly ArtifactJson[]> {
    return this.#pages(path`/v1/tenants/${tenant}/artifacts/${nf}/versions`);
  }

  resolve(tenant: string, reference: string): Promise<ArtifactJson> {
    return this.#client.get(path`/v1/tenants/${tenant}/artifacts/${reference}`);
  }

  removeVersion(tenant: string, reference: string, wish: Wish): Promise<object> {
    return this.#ask("DELETE", path`/v1/tenants/${tenant}/artifacts/${reference}`, undefined, wish);
  }

  /** The artifact, and its source map when it has one. */
  async push(tenant: string, nf: Pushed, onSent: (bytes: number) => void): Promise<ArtifactJson & { readonly created: boolean }> {
    const { component, sourceMap, digest } = nf;
    const form = sourceMap === undefined ? undefined : multipart({ component, source_map: Buffer.from(sourceMap) });
    const { body } = await this.#client.call<ArtifactJson & { readonly created: boolean }>(path`/v1/tenants/${tenant}/artifacts`, {
      method: "POST",
      query: { digest },
      body: form?.bytes ?? component,
      headers: { "content-type": form?.type ?? "application/wasm" },
      onSent,
    });
    return body;
  }

  /** The newest last. */
  async events({ about, limit }: { readonly about?: string | undefined; readonly limit: number }): Promise<readonly EventJson[]> {
    const found: EventJson[] = [];
    while (found.length < limit) {
      const size = Math.min(limit - found.length, EVENTS_PAGE);
      const { events } = await this.#client.get<{ events: EventJson[] }>("/v1/events", { query: { about, limit: size, before: found[0]?.number } });
      found.unshift(...events);
      if (events.length < size) break;
    }
    return found;
  }

  /** Those after the one of this number, as they happen. A connection that breaks is made anew, so that none is missed and none comes twice. */
  async *watchEvents(
    { about, after }: { readonly about?: string | undefined; readonly after?: number | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<EventJson> {
    let last = after;
    while (!signal.aborted) {
      try {
        for await (const { event, data } of this.#client.stream("/v1/events", { query: { about, after: last }, signal })) {
          if (event === "gap") continue;
          const one = data as EventJson;
          last = one.number;
          yield one;
        }
      } catch (error) {
        if (!(error instanceof NfError) || error.code !== "cli.unreachable") throw error;
      }
      await sleep(EVENT_RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async tokens(): Promise<readonly TokenJson[]> {
    return (await this.#client.get<{ tokens: TokenJson[] }>("/v1/tokens")).tokens;
  }

  makeToken(wish: {
    readonly label: string;
    readonly scope: string;
    readonly tenant?: string | undefined;
    readonly valid_seconds?: number | undefined;
  }): Promise<TokenJson & { readonly token: string }> {
    return this.#ask("POST", "/v1/tokens", wish);
  }

  deleteToken(id: string): Promise<object> {
    return this.#ask("DELETE", path`/v1/tokens/${id}`);
  }

  /** The newest last, as everything else that is listed by time. */
  async audit({ limit }: { readonly limit: number }): Promise<readonly AuditJson[]> {
    const { records } = await this.#client.get<{ records: AuditJson[] }>("/v1/audit", { query: { limit } });
    return records.reverse();
  }

  async #ask<T>(method: "PUT" | "POST" | "DELETE", to: string, body?: object, wish: Wish = {}): Promise<T> {
    return (await this.#client.call<T>(to, { method, body, ...asked(wish), timeoutMs: wish.timeoutMs })).body;
  }

  /** A dry run is no matter of waiting. */
  async #last<T>(method: "PUT" | "POST" | "DELETE", to: string, body: object | undefined, wish: Lasting): Promise<T | undefined> {
    const { onProgress, onAccepted, wait = true, timeoutMs } = wish;
    if (wish.dryRun) return this.#ask<T>(method, to, body, wish);
    if (!wait) {
      const { query, headers } = asked(wish);
      const answer = await this.#client.call<T | AcceptedJson>(to, { method, body, query, headers: { ...headers, prefer: "respond-async" }, timeoutMs });
      if (answer.status !== 202) return answer.body as T;
      return void onAccepted?.(answer.body as AcceptedJson);
    }
    const told = (data: unknown): void => {
      if (typeof data === "object" && data !== null && "text" in data) onProgress?.(String(data.text));
    };
    return this.#client.change<T>(to, { method, body, ...asked(wish), timeoutMs, onProgress: told });
  }

  async #pages<T>(route: string): Promise<readonly T[]> {
    const all: T[] = [];
    for (let after: string | undefined; ;) {
      const { items, next } = await this.#client.get<{ items: T[]; next?: string }>(route, { query: { limit: PAGE, after } });
      all.push(...items);
      if (next === undefined || items.length === 0) return all;
      after = next;
    }
  }
}

function asked({ dryRun, replace, force, version }: Wish) {
  const headers: Record<string, string> = version === undefined ? {} : version === "none" ? { "if-none-match": "*" } : { "if-match": `"${version}"` };
  return { query: { dry_run: dryRun || undefined, replace: replace || undefined, force: force || undefined }, headers };
}

/** Whatever stands in a name stays in its segment. */
function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((text, part, i) => `${text}${encodeURIComponent(values[i - 1]!)}${part}`);
}

function of(deployment: string): string {
  const [tenant = "", name = ""] = deployment.split("/");
  return path`/v1/tenants/${tenant}/deployments/${name}`;
}
