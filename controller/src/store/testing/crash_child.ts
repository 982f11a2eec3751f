/**
 * The process that is killed: opens the store in the file it is given, takes random steps, and says `.` of each one when it is done. It ends by itself after
 * MOST_STEPS. Arguments: path, seed, and what Steps has to know of the store.
 */
import { writeSync } from "node:fs";
import { openSqliteStore } from "../index.ts";
import { ManualClock } from "@nfactor/host/manual_clock";
import { Steps, take } from "./steps.ts";

const MOST_STEPS = 3000;
/** So that the log of SQLite is carried over to the file every few hundred steps. */
export const VALUE_BYTES = 100_000;

if (process.argv[1] === import.meta.filename) {
  const [path, seed, revision, leases] = process.argv.slice(2);
  const clock = new ManualClock();
  const store = openSqliteStore(path!, { clock });
  const steps = new Steps(Number(seed), Number(revision), Number(leases));
  writeSync(1, "open\n");
  for (let i = 0; i < MOST_STEPS; i++) {
    await take(steps.nextAtOnce(VALUE_BYTES), store, clock);
    writeSync(1, ".\n");
  }
}
