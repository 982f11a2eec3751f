import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { openSqliteStore } from "./index.ts";
import { VALUE_BYTES } from "./testing/crash_child.ts";
import { PlainStore, takePlain } from "./testing/plain_store.ts";
import { Random, Steps } from "./testing/steps.ts";
import { freshFolder } from "./testing/folder.ts";
import { everything } from "./testing/stores.ts";

const KILLS = Number(process.env["NF_STORE_KILLS"] ?? 16);
const FIRST_SEED = Number(process.env["NF_STORE_SEED"] ?? Date.now() % 1_000_000);
const MOST_ACKNOWLEDGED = 250;
const REGISTER = resolve(import.meta.dirname, "../../../sdk/register.mjs");
const CHILD = join(import.meta.dirname, "testing/crash_child.ts");

/**
 * Starts the process, kills it, and says how many steps it had acknowledged. It is killed after so many of them, or so long after its start, which may be
 * before it has opened the file.
 */
function runAndKill(args: readonly string[], when: { readonly acknowledged: number } | { readonly ms: number }): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ["--import", REGISTER, CHILD, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), "ms" in when ? when.ms : 60_000);
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if ("acknowledged" in when && output.length >= "open\n".length + 2 * when.acknowledged) child.kill("SIGKILL");
    });
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.on("error", fail);
    child.on("close", (_, signal) => {
      clearTimeout(timer);
      if (errors !== "") fail(new Error(errors));
      else if (signal === "SIGKILL" || "acknowledged" in when) done(output.split(".").length - 1);
      else fail(new Error(`it ended before it was killed: ${output.length} bytes of output`));
    });
  });
}

test(`a process is killed ${KILLS} times: what it acknowledged is there, and of what it had begun all or nothing`, async () => {
  console.log(`seed ${FIRST_SEED}; NF_STORE_SEED=${FIRST_SEED} NF_STORE_KILLS=${KILLS} repeats the steps, not the moments`);
  const random = new Random(FIRST_SEED);
  const path = join(freshFolder(), "store.db");
  const plain = new PlainStore();
  let acknowledged = 0;
  let unacknowledged = 0;
  for (let round = 0; round < KILLS; round++) {
    const seed = FIRST_SEED + round;
    const [revision, leases] = [plain.revision, plain.lastLease];
    const when = random.below(4) === 0 ? { ms: random.below(1000) } : { acknowledged: random.below(MOST_ACKNOWLEDGED) };
    const count = await runAndKill([path, seed, revision, leases].map(String), when);
    acknowledged += count;
    const steps = new Steps(seed, revision, leases);
    for (let i = 0; i < count; i++) takePlain(steps.nextAtOnce(VALUE_BYTES), plain);
    const store = openSqliteStore(path);
    try {
      const found = await everything(store);
      if (isDeepStrictEqual(comparable(found), plain.everything())) continue;
      takePlain(steps.nextAtOnce(VALUE_BYTES), plain);
      unacknowledged += 1;
      expect(comparable(found), `seed ${seed}, after ${count} steps`).toEqual(plain.everything());
    } finally {
      await store.close();
    }
  }
  console.log(`${acknowledged} steps acknowledged, ${unacknowledged} times the one after them was done too`);
  expect(acknowledged).toBeGreaterThan(KILLS);
});

/** What a PlainStore has of it too. */
function comparable({ status: { revision, compacted, leases }, ...rest }: Awaited<ReturnType<typeof everything>>): ReturnType<PlainStore["everything"]> {
  return { status: { revision, compacted, leases }, ...rest };
}
