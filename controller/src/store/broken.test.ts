import { NfError } from "@nfactor/sdk/errors";
import { expect, test } from "vitest";
import type { Backend } from "./local/backend.ts";
import { LocalStore } from "./local/local_store.ts";
import { MemoryBackend } from "./local/memory_backend.ts";
import { ManualClock } from "@nfactor/host/manual_clock";
import { contents, put } from "./testing/stores.ts";

const refusal = (code: string) => expect.objectContaining({ name: "NfError", code });

/** A backend whose writing methods fail while `fails` has a code. */
class FailingBackend extends MemoryBackend implements Backend {
  fails: "store.io" | "store.full" | undefined;

  override append(...args: Parameters<Backend["append"]>): void {
    this.#maybeFail();
    super.append(...args);
  }

  override compact(revision: number): void {
    this.#maybeFail();
    super.compact(revision);
  }

  #maybeFail(): void {
    if (this.fails) throw new NfError(this.fails, "the disk says no");
  }
}

test("after an error of the disk nobody knows what is on it: the store ends, and so do its watches", async () => {
  const backend = new FailingBackend();
  const store = new LocalStore(backend, { clock: new ManualClock() });
  await store.txn({ then: [put("a")] });
  const told = expect((await store.watch({ prefix: "" })).next()).rejects.toEqual(refusal("store.io"));
  backend.fails = "store.io";
  await expect(store.txn({ then: [put("b")] })).rejects.toEqual(refusal("store.io"));
  backend.fails = undefined;
  await told;
  await expect(store.txn({ then: [put("b")] })).rejects.toEqual(refusal("store.io"));
  await expect(store.get("a")).rejects.toEqual(refusal("store.io"));
  await store.close();
});

test("a disk without room refuses a transaction, and takes the next one", async () => {
  const backend = new FailingBackend();
  const store = new LocalStore(backend, { clock: new ManualClock() });
  backend.fails = "store.full";
  await expect(store.txn({ then: [put("a")] })).rejects.toEqual(refusal("store.full"));
  backend.fails = undefined;
  await store.txn({ then: [put("b")] });
  expect(await contents(store)).toHaveLength(1);
});

test("a lease whose end cannot be written ends as soon as it can", async () => {
  const backend = new FailingBackend();
  const clock = new ManualClock();
  const store = new LocalStore(backend, { clock });
  const { lease } = await store.grantLease(5);
  await store.txn({ then: [put("a", "", lease)] });
  const watch = await store.watch({ key: "a" });
  const told = watch.next();
  backend.fails = "store.full";
  clock.advance(20_000);
  backend.fails = undefined;
  clock.advance(1000);
  expect((await told).value).toMatchObject({ changes: [{ type: "delete", key: "a" }] });
});

test("history that cannot be given up is no failure of what was written", async () => {
  const backend = new FailingBackend();
  const store = new LocalStore(backend, { clock: new ManualClock(), limits: { historyRevisions: 4 } });
  const compact = backend.compact.bind(backend);
  backend.compact = () => {
    throw new NfError("store.full", "the disk says no");
  };
  for (let i = 0; i < 10; i++) await store.txn({ then: [put("a", String(i))] });
  backend.compact = compact;
  const { revision } = await store.txn({ then: [put("a", "last")] });
  expect(await store.status()).toMatchObject({ revision, compacted: revision - 4 });
});
