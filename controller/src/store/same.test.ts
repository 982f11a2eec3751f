import { join } from "node:path";
import { expect, test } from "vitest";
import { openMemoryStore, openSqliteStore } from "./index.ts";
import { ManualClock } from "@nfactor/host/manual_clock";
import { PlainStore, takePlain } from "./testing/plain_store.ts";
import { Steps, take } from "./testing/steps.ts";
import { freshFolder } from "./testing/folder.ts";
import { contents, everything } from "./testing/stores.ts";

const SEEDS = Number(process.env["NF_STORE_SEEDS"] ?? 25);
const FIRST_SEED = Number(process.env["NF_STORE_SEED"] ?? Date.now() % 1_000_000);
const STEPS = 150;

console.log(`seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}; NF_STORE_SEED=<n> NF_STORE_SEEDS=1 repeats one`);

test(`memory and SQLite do what a store is, whatever they are told to (${SEEDS} seeds)`, async () => {
  let refused = 0;
  let committed = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const clocks = [new ManualClock(), new ManualClock()] as const;
    const path = join(freshFolder(), "store.db");
    const memory = openMemoryStore({ clock: clocks[0] });
    let sqlite = openSqliteStore(path, { clock: clocks[1] });
    const plain = new PlainStore();
    const steps = new Steps(seed);
    try {
      for (let number = 0; number < STEPS; number++) {
        const step = steps.next();
        const at = `seed ${seed}, step ${number}: ${JSON.stringify(step).slice(0, 400)}`;
        const wanted = takePlain(step, plain);
        expect(await take(step, memory, clocks[0]), `memory, ${at}`).toBe(wanted);
        expect(await take(step, sqlite, clocks[1]), `SQLite, ${at}`).toBe(wanted);
        refused += Number(wanted.startsWith("store."));
        if (step.do === "txn" || step.do === "grant") continue;
        const state = await everything(memory);
        expect(state.status).toMatchObject({ revision: plain.revision, compacted: plain.compacted, leases: plain.leases, entries: state.contents.length });
        expect(state.contents, at).toEqual(plain.show(plain.revision));
        expect(state.history, at).toEqual(plain.history());
        expect(await everything(sqlite), at).toEqual(state);
        const past = Math.max(1, plain.compacted, plain.revision - steps.random.below(8));
        expect(await contents(memory, past), at).toEqual(plain.show(past));
        expect(await contents(sqlite, past), at).toEqual(plain.show(past));
      }
      committed += plain.revision - 1;
      // What counts is in the file, and the same after it was opened again.
      const state = await everything(sqlite);
      await sqlite.close();
      sqlite = openSqliteStore(path, { clock: clocks[1] });
      expect(await everything(sqlite)).toEqual(state);
    } finally {
      await sqlite.close();
    }
  }
  // Most of it was carried out, and some of it refused: else this test would look at nothing.
  expect(committed).toBeGreaterThan(SEEDS * STEPS * 0.2);
  expect(refused).toBeGreaterThan(SEEDS);
});
