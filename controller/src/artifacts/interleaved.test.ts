import { join } from "node:path";
import { expect, test } from "vitest";
import { openMemoryStore, openSqliteStore } from "../store/index.ts";
import { freshFolder } from "../store/testing/folder.ts";
import { World } from "./testing/world.ts";

const SEEDS = Number(process.env["NF_ARTIFACTS_SEEDS"] ?? 24);
const FIRST_SEED = Number(process.env["NF_ARTIFACTS_SEED"] ?? Date.now() % 1_000_000);
const STEPS = 700;

/** So that a test ends at all; one on a busy machine takes its time. */
const TIMEOUT_MS = 600_000;

console.log(`seeds from ${FIRST_SEED} on; NF_ARTIFACTS_SEED=<n> NF_ARTIFACTS_SEEDS=1 repeats one`);

/** What has to have happened, or the test would have looked at nothing. */
const EXPECTED = ["upload: created", "upload: there", "upload: artifact.version_taken", "upload: artifact.aborted", "deploy: done", "deploy: refused"];
const EXPECTED_MORE = ["start: done", "delete: done", "delete: artifact.in_use", "collected: versions", "collected: inUse", "collected: marked", "crash"];

function add(all: Record<string, number>, seen: Record<string, number>): void {
  for (const [what, count] of Object.entries(seen)) all[what] = (all[what] ?? 0) + count;
}

test(
  `in memory, nothing that is used is ever gone, and nothing that is not stays (${SEEDS} seeds)`,
  async () => {
    const all: Record<string, number> = {};
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const world = new World(seed, openMemoryStore(), join(freshFolder(), "blobs"));
      await world.run(STEPS).catch((error: unknown) => Promise.reject(new Error(`seed ${seed}: ${String(error)}`, { cause: error })));
      add(all, world.seen);
    }
    console.log(all);
    if (SEEDS >= 24) for (const what of [...EXPECTED, ...EXPECTED_MORE]) expect(all[what] ?? 0, what).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test(
  `over SQLite, whose process ends now and then, it is the same (${Math.ceil(SEEDS / 4)} seeds)`,
  async () => {
    const all: Record<string, number> = {};
    for (let seed = FIRST_SEED; seed < FIRST_SEED + Math.ceil(SEEDS / 4); seed++) {
      const folder = freshFolder();
      const path = join(folder, "store.db");
      const world: World = new World(seed, openSqliteStore(path), join(folder, "blobs"), async () => {
        await world.store.close();
        return openSqliteStore(path);
      });
      try {
        await world.run(STEPS).catch((error: unknown) => Promise.reject(new Error(`seed ${seed}: ${String(error)}`, { cause: error })));
      } finally {
        await world.store.close();
      }
      add(all, world.seen);
    }
    if (SEEDS >= 24) for (const what of ["upload: created", "deploy: done", "start: done", "collect: done"]) expect(all[what] ?? 0, what).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
