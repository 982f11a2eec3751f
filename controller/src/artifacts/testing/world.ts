/**
 * What happens around a registry, at random: uploads, deployments, hosts that start and stop what is deployed, deletions, collections, crashes. They go on
 * in turns (interleaving.ts), and after each one everything is looked at.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { Store, Stored } from "../../store/index.ts";
import { Random } from "../../store/testing/steps.ts";
import { text } from "../../store/testing/stores.ts";
import { type ArtifactReference, ArtifactRegistry, type NfVersion } from "../index.ts";
import { admitHere, artifactOf, chunked, sha256 } from "./artifacts.ts";
import { Interleaving, inTurns } from "./interleaving.ts";
import { lookAt, wrongIn } from "./invariants.ts";

interface Deployment {
  readonly version: string;
  readonly digest: string;
}

/** Few names, so that tasks meet. */
const TENANTS = ["blue", "blue", "blue", "green"];
const NFS = ["firewall", "firewall", "firewall", "nat44"];
const VERSIONS = ["1.0.0", "1.1.0"];
const BUILDS = [0, 1];
const SLOTS = ["s1", "s2", "s3"];
const MAP = Buffer.from('{"version":3}');
const CHUNK = 700;
const TASKS_MAX = 6;

export class World {
  /** How often what happened. */
  readonly seen: Record<string, number> = {};
  readonly #random: Random;
  readonly #turns: Interleaving;
  readonly #folder: string;
  readonly #reopen: (() => Promise<Store>) | undefined;
  #store: Store;
  #registry!: ArtifactRegistry;
  /** What hosts run, or were told to, by host; those whose order was confirmed are there for certain. */
  readonly #hosts = new Map<string, ArtifactReference & { isConfirmed: boolean }>();
  #isCollecting = false;
  /** Files are older than any grace: whatever has no user may go at once. */
  #dateMs = Date.now() + 1e9;

  /** `reopen` ends the process that has the store, and starts the next one; a store that lives in memory stays. */
  constructor(seed: number, store: Store, folder: string, reopen?: () => Promise<Store>) {
    this.#random = new Random(seed);
    this.#turns = new Interleaving(this.#random);
    this.#store = store;
    this.#folder = folder;
    this.#reopen = reopen;
  }

  get store(): Store {
    return this.#store;
  }

  /** Each step is a task that begins, or the next turn of one. Throws an error that says what is wrong. */
  async run(steps: number): Promise<void> {
    await this.#open();
    for (let step = 0; step < steps; step++) {
      const what = await this.#step();
      await this.#check(`step ${step}, ${what}`);
    }
    while (this.#turns.waiting > 0) await this.#turns.step();
    await this.#check("at the end");
    await this.#end();
  }

  async #open(): Promise<void> {
    const { turn } = this.#turns;
    const references = async (): Promise<ArtifactReference[]> => {
      await turn();
      const deployed = [...(await this.#deployments())].map(([by, { digest }]) => ({ by, digest }));
      const all = [...deployed, ...this.#hosts.values()];
      await turn();
      return all;
    };
    this.#registry = await ArtifactRegistry.open({
      store: inTurns(this.#store, turn),
      folder: this.#folder,
      sources: [{ name: "the world", references }],
      admit: admitHere,
      dateMs: () => this.#dateMs,
      limits: { uploadsPerTenant: TASKS_MAX, pageEntries: 5 },
    });
  }

  async #step(): Promise<string> {
    const { turns, random } = { turns: this.#turns, random: this.#random };
    this.#dateMs += random.below(3);
    if (random.below(300) === 0) {
      await this.#crash();
      return "a crash";
    }
    if (turns.waiting > 0 && (turns.waiting >= TASKS_MAX || random.below(6) > 0)) {
      await turns.step();
      return "a turn";
    }
    const kind = random.below(16);
    const [name, task] =
      kind < 5
        ? (["upload", this.#upload()] as const)
        : kind < 8
          ? (["deploy", this.#deploy()] as const)
          : kind < 9
            ? (["undeploy", this.#undeploy()] as const)
            : kind < 11
              ? (["start", this.#start()] as const)
              : kind < 12
                ? (["stop", this.#stop()] as const)
                : kind < 14
                  ? (["delete", this.#delete()] as const)
                  : (["collect", this.#collect()] as const);
    await turns.begin(() => this.#said(name, task));
    return name;
  }

  /** Refusals are what may happen; anything else ends the test. */
  async #said(name: string, task: () => Promise<string>): Promise<void> {
    const came = await task().catch((error: unknown) => {
      if (error instanceof NfError) return error.code;
      throw error;
    });
    this.seen[`${name}: ${came}`] = (this.seen[`${name}: ${came}`] ?? 0) + 1;
  }

  #upload(): () => Promise<string> {
    const random = this.#random;
    const [tenant, name, version, build] = [random.of(TENANTS), random.of(NFS), random.of(VERSIONS), random.of(BUILDS)];
    const [hasMap, breaks] = [random.below(4) === 0, random.below(8) === 0];
    const { turn } = this.#turns;
    async function* slowly(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunked(bytes, CHUNK)) {
        await turn();
        yield chunk;
        if (breaks) throw new Error("the connection broke");
      }
    }
    return async () => {
      const component = await artifactOf({ name, version, build });
      const sourceMap = hasMap ? slowly(MAP) : undefined;
      const { created } = await this.#registry.upload({ tenant, uploader: "ann", component: slowly(component), sourceMap });
      return created ? "created" : "there";
    };
  }

  #deploy(): () => Promise<string> {
    const random = this.#random;
    const [tenant, nf, slot] = [random.of(TENANTS), random.of(NFS), random.of(SLOTS)];
    const reference = random.below(2) === 0 ? nf : `${nf}@${random.of(VERSIONS)}`;
    const thinks = random.below(40);
    return async () => {
      const store = inTurns(this.#store, this.#turns.turn);
      const version = await this.#registry.resolve(tenant, reference);
      for (let i = 0; i < thinks; i++) await this.#turns.turn();
      const using = this.#registry.using(version);
      const deployment: Deployment = { version: version.name, digest: version.object.artifact.digest };
      const value = Buffer.from(JSON.stringify(deployment));
      const { succeeded } = await store.txn({ if: using.if, then: [...using.then, { op: "put", key: `deployments/${slot}`, value }] });
      return succeeded ? "done" : "refused";
    };
  }

  #undeploy(): () => Promise<string> {
    const slot = this.#random.of(SLOTS);
    return async () => {
      const { results } = await inTurns(this.#store, this.#turns.turn).txn({ then: [{ op: "delete", key: `deployments/${slot}` }] });
      return results[0] ? "done" : "nothing";
    };
  }

  /** A host is told to run what is deployed. It names what it was told to before it makes sure that it is there. */
  #start(): () => Promise<string> {
    const [host, slot] = [this.#random.of(SLOTS), this.#random.of(SLOTS)];
    return async () => {
      const { entry } = await inTurns(this.#store, this.#turns.turn).get(`deployments/${slot}`);
      if (!entry || this.#hosts.has(host)) return "nothing";
      const { version: name, digest } = JSON.parse(text(entry.value)!) as Deployment;
      const [tenant, nf] = name.split("/") as [string, string];
      const version: Stored<NfVersion> = await this.#registry.resolve(tenant, `${nf}@sha256:${digest}`);
      if (this.#hosts.has(host)) return "nothing";
      // As hosts report it, by its module now and then.
      const order = { by: host, digest: this.#random.below(2) === 0 ? digest : version.object.module.digest, isConfirmed: false };
      this.#hosts.set(host, order);
      try {
        await this.#registry.use(version);
      } catch (error) {
        this.#hosts.delete(host);
        throw error;
      }
      order.isConfirmed = true;
      if (sha256(await this.#registry.component(version.object)) !== digest) throw new Error("the artifact is another one");
      return "done";
    };
  }

  #stop(): () => Promise<string> {
    const host = this.#random.of(SLOTS);
    return async () => {
      if (this.#hosts.get(host)?.isConfirmed !== true) return "nothing";
      this.#hosts.delete(host);
      return "done";
    };
  }

  #delete(): () => Promise<string> {
    const [tenant, nf, version] = [this.#random.of(TENANTS), this.#random.of(NFS), this.#random.of(VERSIONS)];
    return async () => {
      await this.#registry.delete(tenant, `${nf}@${version}`);
      return "done";
    };
  }

  #collect(): () => Promise<string> {
    const [graceMs, keep] = [this.#random.below(3) * 10, this.#random.below(8) === 0 ? 1 : 0];
    return async () => {
      if (this.#isCollecting) return "nothing";
      this.#isCollecting = true;
      try {
        const { versions, blobs, stay } = await this.#registry.collect({ graceMs, keep });
        for (const [why, count] of Object.entries({ ...stay, versions: versions.length, blobs }))
          this.seen[`collected: ${why}`] = (this.seen[`collected: ${why}`] ?? 0) + count;
        return "done";
      } finally {
        this.#isCollecting = false;
      }
    };
  }

  /** The controller's process ends. Hosts go on with what they run; orders that were not confirmed were not sent. */
  async #crash(): Promise<void> {
    this.#turns.crash();
    this.#isCollecting = false;
    for (const [host, { isConfirmed }] of this.#hosts) if (!isConfirmed) this.#hosts.delete(host);
    if (this.#reopen) this.#store = await this.#reopen();
    await this.#open();
    this.seen["crash"] = (this.seen["crash"] ?? 0) + 1;
  }

  async #deployments(): Promise<Map<string, Deployment>> {
    const { entries } = await this.#store.range({ prefix: "deployments/" });
    return new Map(entries.map(({ key, value }) => [key, JSON.parse(text(value)!) as Deployment]));
  }

  async #check(at: string): Promise<void> {
    const seen = await lookAt(this.#store, this.#folder);
    const wrong = wrongIn(seen, this.#folder);
    for (const [slot, { version, digest }] of await this.#deployments())
      if (seen.versions.get(version)?.artifact.digest !== digest) wrong.push(`${slot} has ${version} deployed, which is gone`);
    const digests = new Set([...seen.versions.values()].flatMap(({ artifact, module }) => [artifact.digest, module.digest]));
    for (const [host, { digest, isConfirmed }] of this.#hosts) if (isConfirmed && !digests.has(digest)) wrong.push(`${host} runs ${digest}, which is gone`);
    if (seen.bytes !== this.#registry.bytes) wrong.push(`the folder has ${seen.bytes} bytes, the registry counts ${this.#registry.bytes}`);
    if (wrong.length > 0) throw new Error(`${at}: ${wrong.join("; ")}`);
  }

  /** Nothing is used any more: two collections later nothing is left. */
  async #end(): Promise<void> {
    for (const key of (await this.#deployments()).keys()) await this.#store.txn({ then: [{ op: "delete", key }] });
    this.#hosts.clear();
    for (let i = 0; i < 2; i++) {
      await this.#turns.begin(async () => void (await this.#registry.collect({ graceMs: 0, keep: 0 })));
      while (this.#turns.waiting > 0) await this.#turns.step();
    }
    const { entries, blobs, uploads, bytes } = await lookAt(this.#store, this.#folder);
    if (entries + blobs.length + uploads + bytes + this.#registry.bytes > 0)
      throw new Error(`at the end: ${JSON.stringify({ entries, blobs, uploads, bytes, counted: this.#registry.bytes })} are left`);
  }
}
