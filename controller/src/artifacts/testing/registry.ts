/** A registry over a store, with a date and references that a test sets. */
import { join } from "node:path";
import { type Store, openMemoryStore } from "../../store/index.ts";
import { freshFolder } from "../../store/testing/folder.ts";
import { ManualClock } from "@nfactor/host/manual_clock";
import { type ArtifactReference, ArtifactRegistry, type RegistryOptions, type Uploaded } from "../index.ts";
import { type Build, admitHere, artifactOf, chunked } from "./artifacts.ts";

export interface TestRegistry {
  readonly registry: ArtifactRegistry;
  readonly store: Store;
  readonly folder: string;
  readonly clock: ManualClock;
  readonly date: { nowMs: number };
  /** What the one source of references says. */
  readonly inUse: ArtifactReference[];
  /** Pushes for tenant blue, unless `more` says otherwise. */
  push(build?: Build, more?: Partial<Parameters<ArtifactRegistry["upload"]>[0]>): Promise<Uploaded>;
}

export async function openTestRegistry(options: Partial<RegistryOptions> = {}): Promise<TestRegistry> {
  const { store = openMemoryStore(), folder = join(freshFolder(), "blobs") } = options;
  const clock = new ManualClock();
  const date = { nowMs: 1_000_000 };
  const inUse: ArtifactReference[] = [];
  const sources = [{ name: "the test", references: async () => inUse }];
  const registry = await ArtifactRegistry.open({ store, folder, sources, admit: admitHere, clock, dateMs: () => date.nowMs, ...options });
  const push = async (build?: Build, more = {}) => registry.upload({ tenant: "blue", uploader: "ann", component: chunked(await artifactOf(build)), ...more });
  return { registry, store, folder, clock, date, inUse, push };
}
