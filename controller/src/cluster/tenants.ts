/** Tenants, and what they may have. */
import { plural } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import type { ArtifactRegistry } from "../artifacts/index.ts";
import { Collection, type Store, type Stored, requireUnchanged } from "../store/index.ts";
import type { WriteOptions } from "./cluster_api.ts";
import type { EventLog } from "./event_log.ts";
import { type Deployment, TENANT, type Tenant } from "./kinds.ts";
import { requireTenantName, tenantOf } from "./names.ts";

/** Of one that is made without saying. */
export const TENANT_QUOTA = { runtimes_max: 64, deployments_max: 64 } as const;
/** There is one from the beginning, so that nobody has to make any who needs only one. */
export const FIRST_TENANT = "default";

export type TenantWish = Partial<Pick<Tenant, "runtimes_max" | "deployments_max">>;

export interface TenantsOptions {
  readonly store: Store;
  readonly artifacts: ArtifactRegistry;
  readonly events: EventLog;
  readonly dateMs: () => number;
  readonly deployments: () => Iterable<Stored<Deployment>>;
}

export class Tenants {
  readonly collection: Collection<Tenant>;
  readonly #options: TenantsOptions;

  constructor(options: TenantsOptions) {
    this.#options = options;
    this.collection = new Collection(options.store, TENANT);
  }

  async all(): Promise<readonly Stored<Tenant>[]> {
    const all: Stored<Tenant>[] = [];
    let after: string | undefined;
    do {
      const page = await this.collection.list({ after });
      all.push(...page.objects);
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  async makeFirst(): Promise<void> {
    if ((await this.collection.list({ limit: 1 })).objects.length > 0) return;
    await this.collection.create(FIRST_TENANT, { ...TENANT_QUOTA, created: Math.round(this.#options.dateMs()) });
  }

  /** Throws NfError (store.not_found). */
  async require(name: string): Promise<Stored<Tenant>> {
    requireTenantName(name);
    const found = await this.collection.find(name);
    if (found) return found;
    const names = (await this.all()).map((tenant) => tenant.name);
    throw new NfError("store.not_found", `there is no tenant '${name}'`, {
      given: name,
      allowed: names.slice(0, 20).join(", "),
      fix: "Make it first, or name another one.",
    });
  }

  /** Throws NfError (store.name, store.stale, store.object, store.not_found when a version is given of one that is not there). */
  async put(name: string, wish: TenantWish, { by, dryRun = false, version }: WriteOptions): Promise<Stored<Tenant>> {
    requireTenantName(name);
    const { events, dateMs } = this.#options;
    const known = version === undefined || version === 0 ? await this.collection.find(name) : await this.collection.get(name);
    const object: Tenant = { ...TENANT_QUOTA, created: Math.round(dateMs()), ...known?.object, ...wish };
    this.collection.put(name, object);
    requireUnchanged("tenant", { name, version: 0, ...known }, version);
    if (dryRun) return { name, object, version: known?.version ?? 0, createRevision: known?.createRevision ?? 0 };
    const stored = known ? await this.collection.update(name, object, version ?? known.version) : await this.collection.create(name, object);
    events.add(
      "tenant",
      name,
      "info",
      `${known ? "changed" : "made"} by ${by}: runtimes at most ${object.runtimes_max}, deployments at most ${object.deployments_max}`,
    );
    return stored;
  }

  /** Deployments name versions of its own, so one that has none gets no deployments. Throws NfError (cluster.in_use, store.not_found, store.stale). */
  async delete(name: string, { by, dryRun = false, version }: WriteOptions): Promise<void> {
    const { store, artifacts, deployments, events } = this.#options;
    const known = await this.require(name);
    requireUnchanged("tenant", known, version);
    const own = [...deployments()].filter((one) => tenantOf(one.name) === name).map((one) => one.name);
    if (own.length > 0) refuse(name, `${plural(own.length, "deployment")}: ${own.slice(0, 5).join(", ")}`, "Undeploy them first.");
    const { versions } = await artifacts.usage(name);
    if (versions > 0) refuse(name, `${versions} versions of NFs`, "Delete them first.");
    if (dryRun) return;
    const { succeeded } = await store.txn({
      if: [this.collection.ifUnchanged(name, known.version), artifacts.ifNone(name)],
      then: [{ op: "delete", key: this.collection.keyOf(name) }],
    });
    // It was changed, or an NF has come in: what that means is found out anew.
    if (!succeeded) return this.delete(name, { by, version });
    events.add("tenant", name, "info", `deleted by ${by}`);
  }
}

function refuse(name: string, what: string, fix: string): never {
  throw new NfError("cluster.in_use", `tenant ${name} has ${what}`, { given: name, fix });
}
