/** The contract of store.ts as tests: whatever calls itself a store passes them. `open` gives an empty one; `reopen` closes one and opens it again. */
import { describe, expect, test } from "vitest";
import type { StoreLimits } from "../limits.ts";
import { type Store, isAbsent, isPresent, isUnchanged } from "../store.ts";
import type { ManualClock } from "@nfactor/host/manual_clock";
import { bytes, contents, del, history, inShort, put, text } from "./stores.ts";

export interface Opened {
  readonly store: Store;
  readonly clock: ManualClock;
}

export interface Implementation {
  readonly name: string;
  open(limits?: Partial<StoreLimits>): Promise<Opened>;
  /** Undefined when nothing outlives it. */
  reopen: ((opened: Opened) => Promise<Opened>) | undefined;
}

const refusal = (code: string) => expect.objectContaining({ name: "NfError", code });

export function storeConformance({ name, open, reopen }: Implementation): void {
  describe(`a store in ${name}`, () => {
    describe("keys and revisions", () => {
      test("a key has the revisions in which it came into being and was written, and how often", async () => {
        const { store } = await open();
        const first = (await store.txn({ then: [put("a", "1"), put("b/c", "2")] })).revision;
        const { results } = await store.txn({ then: [put("a", "3")] });
        expect(inShort(results[0])).toBe(`a=3 @${first}/${first + 1} #2`);
        expect(await contents(store)).toEqual([`a=3 @${first}/${first + 1} #2`, `b/c=2 @${first}/${first} #1`]);
        await store.txn({ then: [del("a")] });
        await store.txn({ then: [put("a", "4")] });
        expect(inShort((await store.get("a")).entry)).toBe(`a=4 @${first + 3}/${first + 3} #1`);
        expect((await store.get("b")).entry).toBeUndefined();
      });

      test("what changes nothing makes no revision", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a")] });
        expect(await store.txn({ then: [del("b"), { op: "get", key: "a" }] })).toMatchObject({ revision, results: [undefined, { key: "a" }] });
        expect((await store.txn({})).revision).toBe(revision);
        expect((await store.txn({ then: [put("a")] })).revision).toBe(revision + 1);
      });

      test("values are bytes: none, all of them, and copies", async () => {
        const { store } = await open();
        const all = Uint8Array.from({ length: 256 }, (_, i) => i);
        const given = all.slice();
        await store.txn({
          then: [
            { op: "put", key: "all", value: given },
            { op: "put", key: "none", value: new Uint8Array() },
            { op: "put", key: "part", value: all.subarray(3, 5) },
          ],
        });
        given.fill(0);
        const found = (await store.get("all")).entry!;
        expect([...found.value]).toEqual([...all]);
        expect(found.value.constructor).toBe(Uint8Array);
        found.value.fill(7);
        expect([...(await store.get("all")).entry!.value]).toEqual([...all]);
        expect((await store.get("none")).entry!.value.byteLength).toBe(0);
        expect([...(await store.get("part")).entry!.value]).toEqual([3, 4]);
      });

      test("old revisions can be read, later ones cannot", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a", "1"), put("b", "1")] });
        await store.txn({ then: [put("a", "2"), del("b")] });
        expect(text((await store.get("a", { revision })).entry?.value)).toBe("1");
        expect(await store.get("b", { revision: revision + 1 })).toEqual({ revision: revision + 1, entry: undefined });
        expect(await contents(store, revision)).toEqual([`a=1 @${revision}/${revision} #1`, `b=1 @${revision}/${revision} #1`]);
        await expect(store.get("a", { revision: revision + 2 })).rejects.toEqual(refusal("store.future"));
        await expect(store.range({ prefix: "", revision: 0 })).rejects.toEqual(refusal("store.limit"));
      });
    });

    describe("ranges", () => {
      test("hold the keys of a prefix in order, page by page", async () => {
        const { store } = await open();
        await store.txn({ then: ["a/2", "a/10", "a/1/x", "a-b", "a", "b/1", "a0"].map((key) => put(key)) });
        const keys = async (query: Parameters<Store["range"]>[0]) => {
          const { entries, next } = await store.range(query);
          return [entries.map(({ key }) => key), next];
        };
        expect(await keys({ prefix: "a/" })).toEqual([["a/1/x", "a/10", "a/2"], undefined]);
        expect(await keys({ prefix: "" })).toEqual([["a", "a-b", "a/1/x", "a/10", "a/2", "a0", "b/1"], undefined]);
        expect(await keys({ prefix: "a/", limit: 2 })).toEqual([["a/1/x", "a/10"], "a/10"]);
        expect(await keys({ prefix: "a/", limit: 2, after: "a/10" })).toEqual([["a/2"], undefined]);
        expect(await keys({ prefix: "c/" })).toEqual([[], undefined]);
      });

      test("go on in the revision they began in", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a"), put("b"), put("c")] });
        await store.txn({ then: [del("b"), put("bb")] });
        const { entries } = await store.range({ prefix: "", after: "a", revision });
        expect(entries.map(({ key }) => key)).toEqual(["b", "c"]);
      });

      test("are cut at a number of bytes too, and never empty because of it", async () => {
        const { store } = await open({ pageBytes: 500 });
        await store.txn({ then: ["a", "b", "c"].map((key) => put(key, "x".repeat(400))) });
        const { entries, next } = await store.range({ prefix: "" });
        expect([entries.length, next]).toEqual([1, "a"]);
      });
    });

    describe("transactions", () => {
      test("carry out one list or the other, as all comparisons hold or not", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ if: [isAbsent("a")], then: [put("a", "1")] });
        const lost = await store.txn({ if: [isAbsent("b"), isAbsent("a")], then: [put("a", "2")], else: [{ op: "get", key: "a" }] });
        expect(lost).toMatchObject({ succeeded: false, revision, results: [{ key: "a", modRevision: revision }] });
        expect((await store.txn({ if: [isUnchanged("a", revision), isPresent("a")], then: [put("a", "3")] })).succeeded).toBe(true);
        expect((await store.txn({ if: [isUnchanged("a", revision)], then: [put("a", "4")] })).succeeded).toBe(false);
        expect(text((await store.get("a")).entry?.value)).toBe("3");
      });

      test("compare each field in each way", async () => {
        const { store } = await open();
        await store.txn({ then: [put("x")] });
        await store.txn({ then: [put("a", "1")] });
        const { revision } = await store.txn({ then: [put("a", "1")] });
        const numbers = { create: revision - 1, mod: revision, version: 2 } as const;
        for (const [field, value] of Object.entries(numbers) as [keyof typeof numbers, number][]) {
          const outcomes = (["=", "!=", "<", ">"] as const).map((is) =>
            [value - 1, value, value + 1].map(async (to) => (await store.txn({ if: [{ key: "a", field, is, to }] })).succeeded),
          );
          expect(await Promise.all(outcomes.map((row) => Promise.all(row)))).toEqual([
            [false, true, false],
            [true, false, true],
            [false, false, true],
            [true, false, false],
          ]);
        }
        const value = async (key: string, is: "=" | "!=", to: string) => (await store.txn({ if: [{ key, field: "value", is, to: bytes(to) }] })).succeeded;
        expect([await value("a", "=", "1"), await value("a", "=", "2"), await value("a", "=", ""), await value("a", "!=", "2")]).toEqual([
          true,
          false,
          false,
          true,
        ]);
        expect([await value("absent", "=", ""), await value("absent", "!=", "1")]).toEqual([false, false]);
      });

      test("see what they did themselves", async () => {
        const { store } = await open();
        await store.txn({ then: [put("a", "1")] });
        const get = (key: string) => ({ op: "get", key }) as const;
        const { results, revision } = await store.txn({ then: [get("a"), put("a", "2"), get("a"), del("b"), put("c"), get("c"), get("b")] });
        expect(results.map(inShort)).toEqual([
          `a=1 @${revision - 1}/${revision - 1} #1`,
          `a=2 @${revision - 1}/${revision} #2`,
          `a=2 @${revision - 1}/${revision} #2`,
          undefined,
          `c= @${revision}/${revision} #1`,
          `c= @${revision}/${revision} #1`,
          undefined,
        ]);
        expect(inShort((await store.txn({ then: [del("a"), get("a")] })).results[0])).toContain("a=2");
      });

      test("of two that compare the same, one takes place", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a")] });
        const writers = Array.from({ length: 20 }, (_, i) => store.txn({ if: [isUnchanged("a", revision)], then: [put("a", String(i))] }));
        const won = (await Promise.all(writers)).filter(({ succeeded }) => succeeded);
        expect(won).toHaveLength(1);
        expect((await store.get("a")).entry).toEqual(won[0]!.results[0]);
      });
    });

    describe("watches", () => {
      test("tell each revision of what they watch once, as a whole, from where they are asked to", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a/1", "x"), put("b", "x"), put("a/2", "x")] });
        await store.txn({ then: [put("b", "y")] });
        await store.txn({ then: [put("a/3"), del("a/1")] });
        const watch = await store.watch({ prefix: "a/" }, { from: revision });
        expect(await watch.next()).toMatchObject({ value: { revision, changes: [{ entry: { key: "a/1" } }, { entry: { key: "a/2" } }] } });
        expect((await watch.next()).value).toMatchObject({
          revision: revision + 2,
          changes: [{ type: "put" }, { type: "delete", key: "a/1", revision: revision + 2 }],
        });
        const waiting = watch.next();
        await store.txn({ then: [put("b")] });
        await store.txn({ then: [put("a/2", "z")] });
        expect((await waiting).value).toMatchObject({ revision: revision + 4, changes: [{ entry: { key: "a/2", version: 2 } }] });
        watch.close();
        expect(await history(store, revision, { key: "b" })).toHaveLength(3);
        expect(await history(store, revision + 3)).toHaveLength(2);
      });

      test("without a revision begin with the next change, and wait for one that is to come", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a")] });
        const next = await store.watch({ key: "a" });
        const later = await store.watch({ key: "a" }, { from: revision + 3 });
        const told = [next.next(), later.next()];
        for (let i = 0; i < 3; i++) await store.txn({ then: [put("a", String(i))] });
        expect((await Promise.all(told)).map(({ value }) => value.revision)).toEqual([revision + 1, revision + 3]);
        next.close();
        later.close();
      });

      test("end when their reader leaves, and when they are closed", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a")] });
        for await (const changes of await store.watch({ prefix: "" }, { from: revision })) {
          expect(changes.revision).toBe(revision);
          break;
        }
        const watch = await store.watch({ prefix: "" });
        expect((await store.status()).watches).toBe(1);
        const waiting = watch.next();
        await expect(watch.next()).rejects.toThrow("one reader");
        watch.close();
        expect(await waiting).toEqual({ done: true, value: undefined });
        expect(await watch.next()).toEqual({ done: true, value: undefined });
        expect((await store.status()).watches).toBe(0);
      });

      test("fail when the store is closed", async () => {
        const { store } = await open();
        const [waiting, idle] = [await store.watch({ prefix: "" }), await store.watch({ prefix: "" })];
        const told = expect(waiting.next()).rejects.toEqual(refusal("store.closed"));
        await store.close();
        await told;
        await expect(idle.next()).rejects.toEqual(refusal("store.closed"));
        expect(await idle.next()).toEqual({ done: true, value: undefined });
        await expect(store.get("a")).rejects.toEqual(refusal("store.closed"));
        await expect(store.txn({ then: [put("a")] })).rejects.toEqual(refusal("store.closed"));
        await store.close();
      });
    });

    describe("compaction", () => {
      test("keeps what is, and refuses what was", async () => {
        const { store } = await open();
        const { revision } = await store.txn({ then: [put("a", "1"), put("b", "1"), put("c", "1")] });
        await store.txn({ then: [put("a", "2"), del("b")] });
        await store.txn({ then: [put("a", "3")] });
        const before = (await store.status()).bytes;
        await store.compact(revision + 1);
        await store.compact(revision);
        expect((await store.status()).compacted).toBe(revision + 1);
        expect((await store.status()).bytes).toBeLessThan(before);
        await expect(store.get("a", { revision })).rejects.toEqual(refusal("store.compacted"));
        await expect(store.watch({ prefix: "" }, { from: revision + 1 })).rejects.toEqual(refusal("store.compacted"));
        expect(await contents(store, revision + 1)).toEqual([`a=2 @${revision}/${revision + 1} #2`, `c=1 @${revision}/${revision} #1`]);
        expect(await history(store, revision + 2)).toEqual([`a=3 @${revision}/${revision + 2} #3`]);
        await expect(store.compact(revision + 3)).rejects.toEqual(refusal("store.future"));
      });

      test("happens by itself, and leaves the revisions that are to stay", async () => {
        const { store } = await open({ historyRevisions: 20 });
        let revision = 0;
        for (let i = 0; i < 200; i++) {
          revision = (await store.txn({ then: [put("a", String(i))] })).revision;
          const { compacted } = await store.status();
          expect(revision - compacted).toBeLessThanOrEqual(25);
          if (revision > 27) expect(revision - compacted).toBeGreaterThanOrEqual(20);
        }
        expect(await history(store, revision - 19)).toHaveLength(20);
      });

      test("leaves behind a reader that is slow, and none that waits", async () => {
        const { store } = await open({ historyRevisions: 8 });
        const slow = await store.watch({ key: "a" });
        const waiting = await store.watch({ key: "other" });
        const told = waiting.next();
        for (let i = 0; i < 40; i++) await store.txn({ then: [put("a", String(i))] });
        await expect(slow.next()).rejects.toEqual(refusal("store.compacted"));
        expect(await slow.next()).toEqual({ done: true, value: undefined });
        const { revision } = await store.txn({ then: [put("other")] });
        expect((await told).value).toMatchObject({ revision });
        expect((await store.status()).watches).toBe(1);
        waiting.close();
      });
    });

    describe("leases", () => {
      test("delete their keys as one revision when their time is over", async () => {
        const { store, clock } = await open();
        const { lease } = await store.grantLease(10);
        const { revision } = await store.txn({ then: [put("b", "", lease), put("a", "", lease), put("c")] });
        expect((await store.get("a")).entry?.lease).toBe(lease);
        clock.advance(9_999);
        expect(await contents(store)).toHaveLength(3);
        const watch = await store.watch({ prefix: "" });
        const told = watch.next();
        clock.advance(1);
        expect((await told).value).toEqual({ revision: revision + 1, changes: ["a", "b"].map((key) => ({ type: "delete", key, revision: revision + 1 })) });
        watch.close();
        expect(await contents(store)).toEqual([`c= @${revision}/${revision} #1`]);
        await expect(store.keepAlive(lease)).rejects.toEqual(refusal("store.lease"));
        await expect(store.txn({ then: [put("x", "", lease), put("y")] })).rejects.toEqual(refusal("store.lease"));
        expect((await store.get("y")).entry).toBeUndefined();
        expect((await store.status()).leases).toBe(0);
      });

      test("begin anew when they are kept alive", async () => {
        const { store, clock } = await open();
        const { lease } = await store.grantLease(10);
        await store.txn({ then: [put("a", "", lease)] });
        for (let i = 0; i < 5; i++) {
          clock.advance(9_000);
          expect(await store.keepAlive(lease)).toEqual({ lease, ttlSeconds: 10 });
        }
        clock.advance(9_999);
        expect((await store.get("a")).entry).toBeDefined();
        clock.advance(1);
        expect((await store.get("a")).entry).toBeUndefined();
      });

      test("are over for whoever calls, also when the store was held up and has not noticed", async () => {
        const { store, clock } = await open();
        const { lease } = await store.grantLease(10);
        await store.txn({ then: [put("a", "", lease)] });
        clock.skip(10_000);
        await expect(store.keepAlive(lease)).rejects.toEqual(refusal("store.lease"));
        expect((await store.get("a")).entry).toBeUndefined();
      });

      test("let go of a key that is written without them, or with another one", async () => {
        const { store, clock } = await open();
        const [one, two] = [(await store.grantLease(5)).lease, (await store.grantLease(10)).lease];
        expect(one).not.toBe(two);
        await store.txn({ then: [put("a", "", one), put("b", "", one), put("c", "", one), put("d", "", one)] });
        await store.txn({ then: [put("a"), put("b", "", two), del("c")] });
        await store.txn({ then: [put("c")] });
        clock.advance(5_000);
        expect((await contents(store)).map((entry) => entry[0])).toEqual(["a", "b", "c"]);
        clock.advance(5_000);
        expect((await contents(store)).map((entry) => entry[0])).toEqual(["a", "c"]);
      });

      test("end when they are revoked, and never come again", async () => {
        const { store } = await open();
        const { lease } = await store.grantLease(10);
        const { revision } = await store.txn({ then: [put("a", "", lease)] });
        await store.revokeLease(lease);
        expect((await store.get("a")).entry).toBeUndefined();
        expect((await store.status()).revision).toBe(revision + 1);
        await expect(store.revokeLease(lease)).rejects.toEqual(refusal("store.lease"));
        const other = await store.grantLease(10);
        expect(other.lease).not.toBe(lease);
        await store.revokeLease(other.lease);
        expect((await store.status()).revision).toBe(revision + 1);
      });
    });

    describe("bounds", () => {
      const LIMITS = { valueBytes: 10, txnOps: 3, txnBytes: 30, pageEntries: 5, watches: 2, leases: 2, ttlSeconds: 60 };

      test("are refused when they are exceeded, and nothing is changed", async () => {
        const { store } = await open(LIMITS);
        const before = await store.status();
        const four = ["a", "b", "c", "d"];
        const tooMuch: Parameters<Store["txn"]>[0][] = [
          { then: [put("a", "x".repeat(11))] },
          { then: four.map((key) => put(key)) },
          { else: four.map((key) => put(key)) },
          { if: four.map(isAbsent) },
          { then: ["a", "b", "c"].map((key) => put(key, "x".repeat(10))) },
          { then: [put("a"), del("b"), put("a")] },
          { then: [put("a"), del("a")] },
        ];
        for (const txn of tooMuch) await expect(store.txn(txn)).rejects.toEqual(refusal("store.limit"));
        await expect(store.range({ prefix: "", limit: 6 })).rejects.toEqual(refusal("store.limit"));
        await expect(store.range({ prefix: "", limit: 0 })).rejects.toEqual(refusal("store.limit"));
        for (const ttl of [0, 61, 1.5, NaN]) await expect(store.grantLease(ttl)).rejects.toEqual(refusal("store.limit"));
        expect(await store.status()).toEqual(before);
        await store.txn({ then: [put("a", "x".repeat(10)), put("b", "x".repeat(10)), put("c")] });
      });

      test("hold for leases and watches too", async () => {
        const { store } = await open(LIMITS);
        const leases = [await store.grantLease(1), await store.grantLease(1)];
        await expect(store.grantLease(1)).rejects.toEqual(refusal("store.limit"));
        await store.revokeLease(leases[0]!.lease);
        await store.grantLease(1);
        const watches = [await store.watch({ prefix: "" }), await store.watch({ prefix: "" })];
        await expect(store.watch({ prefix: "" })).rejects.toEqual(refusal("store.limit"));
        watches[0]!.close();
        (await store.watch({ prefix: "" })).close();
        watches[1]!.close();
      });

      test("history makes room; when there is none left, only deletions go on", async () => {
        const { store } = await open({ bytes: 4096 });
        for (let i = 0; i < 50; i++) await store.txn({ then: [put("a", "x".repeat(1000))] });
        expect((await store.status()).bytes).toBeLessThanOrEqual(4096);
        await store.txn({ then: [put("b", "x".repeat(1000)), put("c", "x".repeat(1000))] });
        await expect(store.txn({ then: [put("d", "x".repeat(1000))] })).rejects.toEqual(refusal("store.full"));
        expect((await contents(store)).map((entry) => entry[0])).toEqual(["a", "b", "c"]);
        await store.txn({ then: [del("a")] });
        await store.txn({ then: [put("d", "x".repeat(1000))] });
      });

      test.each(["", "/a", "a/", "a//b", "a/../b", "..", ".", "a/./b", "a b", "a\nb", "a\0", "\x1b[2J", "ä", "a\u202eb", "x".repeat(513)])(
        "the name %j is refused everywhere",
        async (key) => {
          const { store } = await open();
          const tries = [
            () => store.get(key),
            () => store.txn({ then: [put(key)] }),
            () => store.txn({ else: [del(key)] }),
            () => store.txn({ if: [isAbsent(key)] }),
            () => store.watch({ key }),
            () => store.range({ prefix: "", after: key }),
            () => store.range({ prefix: `${key}//` }),
          ];
          for (const attempt of tries) await expect(attempt()).rejects.toEqual(refusal("store.name"));
        },
      );

      test("a prefix is of whole segments, and a page begins within it", async () => {
        const { store } = await open();
        await expect(store.range({ prefix: "a" })).rejects.toEqual(refusal("store.name"));
        await expect(store.watch({ prefix: "a" })).rejects.toEqual(refusal("store.name"));
        await expect(store.range({ prefix: "a/", after: "b/c" })).rejects.toEqual(refusal("store.name"));
        expect((await store.get("x".repeat(512))).entry).toBeUndefined();
      });
    });

    if (!reopen) return;
    describe("opened again", () => {
      test("it has everything: keys, history, what is compacted", async () => {
        const opened = await open();
        for (let i = 0; i < 10; i++) await opened.store.txn({ then: [put(`k/${i % 3}`, String(i)), del(`k/${(i + 1) % 3}`)] });
        await opened.store.compact(4);
        const [was, told, status] = [await contents(opened.store), await history(opened.store, 5), await opened.store.status()];
        const { store } = await reopen(opened);
        expect(await contents(store)).toEqual(was);
        expect(await history(store, 5)).toEqual(told);
        expect(await store.status()).toEqual(status);
        expect((await store.txn({ then: [put("new")] })).revision).toBe(status.revision + 1);
      });

      test("leases are there with their whole time, however long it was closed", async () => {
        const opened = await open();
        const { lease } = await opened.store.grantLease(10);
        const over = (await opened.store.grantLease(10)).lease;
        await opened.store.txn({ then: [put("a", "", lease), put("b", "", over)] });
        await opened.store.revokeLease(over);
        opened.clock.advance(9_000);
        const { store, clock } = await reopen(opened);
        clock.advance(9_999);
        expect((await store.get("a")).entry?.lease).toBe(lease);
        await expect(store.keepAlive(over)).rejects.toEqual(refusal("store.lease"));
        expect((await store.grantLease(10)).lease).not.toBe(over);
        clock.advance(1);
        expect((await store.get("a")).entry).toBeUndefined();
      });
    });
  });
}
