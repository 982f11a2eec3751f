/** What hosts get of artifacts: parts of those that their deployments name, and of no others. And who uses artifacts, for the registry. */
import type { CONTROLLER_METHODS, Handlers } from "@nfactor/host/session";
import { NfError } from "@nfactor/sdk/errors";
import { LRU } from "./lru.ts";
import type { ArtifactReference, ArtifactRegistry, ReferenceSource } from "../artifacts/index.ts";
import { Collection, type Store, type Stored } from "../store/index.ts";
import { digestsOf } from "./deployment_object.ts";
import { DEPLOYMENT, type Deployment, HOST_SEEN, type HostSeen } from "./kinds.ts";
import { tenantOf } from "./names.ts";

/** A host asks for one in several parts, and several hosts at once for the same one: a few stay in memory, of 2 MiB at most. */
const HELD = 8;

export interface ArtifactSourceOptions {
  readonly artifacts: ArtifactRegistry;
  readonly deployments: () => Iterable<Stored<Deployment>>;
}

export class ArtifactSource {
  readonly #options: ArtifactSourceOptions;
  readonly #held = new LRU<string, Promise<Uint8Array>>(HELD);

  constructor(options: ArtifactSourceOptions) {
    this.#options = options;
  }

  /** Rejects with NfError (artifact.not_found, artifact.damaged, artifact.io). */
  readonly handler: Handlers<typeof CONTROLLER_METHODS>["artifact"] = async ({ digest, offset, length }, { peer }) => {
    const place = this.#placeOf(digest, peer.name);
    if (!place)
      throw new NfError("artifact.not_found", `no deployment of host ${peer.name} names artifact ${digest}`, {
        given: digest,
        fix: "Deploy what needs it there.",
      });
    const bytes = await this.#held.get(digest, () => this.#read(place.tenant, place.nf, digest));
    return { total: bytes.length, bytes: bytes.subarray(offset, offset + length) };
  };

  /** Whoever names it among what this host has, or is to have. */
  #placeOf(digest: string, host: string): { readonly tenant: string; readonly nf: string } | undefined {
    for (const { name, object } of this.#options.deployments()) {
      if (object.host !== host && !object.peers.some((peer) => peer.host === host)) continue;
      for (const { spec } of object.revisions) for (const { nf } of spec.chain) if (nf.digest === digest) return { tenant: tenantOf(name), nf: nf.name };
    }
    return undefined;
  }

  async #read(tenant: string, nf: string, digest: string): Promise<Uint8Array> {
    const { artifacts } = this.#options;
    return artifacts.component((await artifacts.resolve(tenant, `${nf}@sha256:${digest}`)).object);
  }
}

/**
 * Who uses artifacts: every revision of a deployment that is kept, since one may go back to it; and what hosts said last that they have, which a host that is
 * away still runs. Orders to hosts name nothing else: they are of the newest revision. Both are read from the store, which is right before hosts
 * have come, too.
 */
export function referenceSources(store: Store): readonly ReferenceSource[] {
  const deployments = new Collection<Deployment>(store, DEPLOYMENT);
  const seen = new Collection<HostSeen>(store, HOST_SEEN);
  return [
    {
      name: "the desired state",
      references: () => all(deployments, ({ name, object }) => digestsOf(object).map((digest) => ({ digest, by: `deployment ${name}` }))),
    },
    {
      name: "what hosts have",
      references: () =>
        all(seen, ({ name, object }) => Object.values(object.deployments).flatMap(({ digests }) => digests.map((digest) => ({ digest, by: `host ${name}` })))),
    },
  ];
}

/** Throws when one of them cannot be read: what it names is not known then. */
async function all<T>(collection: Collection<T>, referencesOf: (stored: Stored<T>) => readonly ArtifactReference[]): Promise<ArtifactReference[]> {
  const found: ArtifactReference[] = [];
  let after: string | undefined;
  do {
    const page = await collection.list({ after });
    if (page.unreadable[0]) throw page.unreadable[0];
    found.push(...page.objects.flatMap(referencesOf));
    after = page.next;
  } while (after !== undefined);
  return found;
}
