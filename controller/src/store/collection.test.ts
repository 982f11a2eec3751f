import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Collection, type Kind, openMemoryStore } from "./index.ts";
import { put, text } from "./testing/stores.ts";

interface Chain {
  nfs: string[];
  replicas?: number | undefined;
}

const schema = z.strictObject({ nfs: z.array(z.string()).max(4), replicas: z.int().min(0).max(3).optional() });
const KIND: Kind<Chain> = { noun: "chain", prefix: "chains/", segments: 2, schema, version: 1 };
const refusal = (code: string, message: RegExp = /./) => expect.objectContaining({ name: "NfError", code, message: expect.stringMatching(message) as string });

function fresh() {
  const store = openMemoryStore();
  return { store, chains: new Collection(store, KIND) };
}

describe("objects of a collection", () => {
  test("are made, found, changed and deleted, each under a version", async () => {
    const { store, chains } = fresh();
    const made = await chains.create("blue/web", { nfs: ["nat44"] });
    expect(await chains.get("blue/web")).toEqual(made);
    const changed = await chains.update("blue/web", { nfs: [], replicas: 1 }, made.version);
    expect(changed).toEqual({ name: "blue/web", object: { nfs: [], replicas: 1 }, version: made.version + 1, createRevision: made.createRevision });
    expect(text((await store.get("chains/blue/web")).entry?.value)).toBe('{"version":1,"object":{"nfs":[],"replicas":1}}');
    await chains.delete("blue/web", changed.version);
    expect(await chains.find("blue/web")).toBeUndefined();
    await expect(chains.get("blue/web")).rejects.toEqual(refusal("store.not_found", /no chain 'blue\/web'/));
    await expect(chains.delete("blue/web")).rejects.toEqual(refusal("store.not_found"));
  });

  test("are not made twice, and not written by who read an older one", async () => {
    const { chains } = fresh();
    const { version } = await chains.create("blue/web", { nfs: [] });
    await expect(chains.create("blue/web", { nfs: ["x"] })).rejects.toEqual(refusal("store.exists"));
    await chains.update("blue/web", { nfs: ["mine"] }, version);
    await expect(chains.update("blue/web", { nfs: ["theirs"] }, version)).rejects.toEqual(
      refusal("store.stale", new RegExp(`version ${version} was given, it is at ${version + 1}`)),
    );
    await expect(chains.delete("blue/web", version)).rejects.toEqual(refusal("store.stale"));
    await expect(chains.update("blue/none", { nfs: [] }, version)).rejects.toEqual(refusal("store.not_found"));
    expect((await chains.get("blue/web")).object.nfs).toEqual(["mine"]);
    await chains.delete("blue/web");
    await chains.create("blue/web", { nfs: [] });
    await expect(chains.update("blue/web", { nfs: [] }, version + 1)).rejects.toEqual(refusal("store.stale"));
  });

  test("are changed by many at once and nothing is lost", async () => {
    const { store, chains } = fresh();
    await chains.create("blue/web", { nfs: [], replicas: 0 });
    const add = () => chains.modify("blue/web", ({ replicas = 0, ...rest }) => ({ ...rest, replicas: replicas + 1 }));
    await Promise.all([add(), add(), add()]);
    expect((await chains.get("blue/web")).object.replicas).toBe(3);
    const { version } = await chains.modify("blue/web", () => undefined);
    expect((await chains.get("blue/web")).version).toBe(version);
    let tries = 0;
    const hopeless = chains.modify("blue/web", (object) => {
      tries += 1;
      void store.txn({ then: [chains.put("blue/web", object)] });
      return object;
    });
    await expect(hopeless).rejects.toEqual(refusal("store.stale"));
    expect(tries).toBe(16);
  });

  test("fit the schema, or are refused with the place", async () => {
    const { store, chains } = fresh();
    await expect(chains.create("blue/web", { nfs: ["a"], replicas: 4 })).rejects.toEqual(refusal("store.object", /'blue\/web' does not fit: replicas: /));
    await expect(chains.create("blue/web", { nfs: [], more: 1 } as Chain)).rejects.toEqual(refusal("store.object", /more/));
    expect((await store.status()).entries).toBe(0);
  });

  test.each(["blue", "blue/web/x", "blue/", "../web", "blue/we b", ""])("are not called %j", async (name) => {
    const { chains } = fresh();
    await expect(chains.create(name, { nfs: [] })).rejects.toEqual(refusal("store.name"));
    await expect(chains.find(name)).rejects.toEqual(refusal("store.name"));
  });

  test("are listed page by page, all or those under a name", async () => {
    const { chains } = fresh();
    for (const name of ["blue/a", "blue/b", "green/a", "blueish/a"]) await chains.create(name, { nfs: [] });
    const page = await chains.list({ limit: 2 });
    expect([page.objects.map(({ name }) => name), page.next]).toEqual([["blue/a", "blue/b"], "blue/b"]);
    const rest = await chains.list({ after: page.next, revision: page.revision });
    expect([rest.objects.map(({ name }) => name), rest.next]).toEqual([["blueish/a", "green/a"], undefined]);
    expect((await chains.list({ under: "blue" })).objects.map(({ name }) => name)).toEqual(["blue/a", "blue/b"]);
    await expect(chains.list({ under: ".." })).rejects.toEqual(refusal("store.name"));
  });

  test("change together, in one transaction", async () => {
    const { store, chains } = fresh();
    const web = await chains.create("blue/web", { nfs: [] });
    const both = () =>
      store.txn({
        if: [chains.ifUnchanged("blue/web", web.version), chains.ifAbsent("blue/api")],
        then: [chains.put("blue/web", { nfs: ["x"] }), chains.put("blue/api", { nfs: ["y"] })],
      });
    expect((await both()).succeeded).toBe(true);
    expect((await both()).succeeded).toBe(false);
    expect((await chains.list()).objects.map(({ version }) => version)).toEqual([web.version + 1, web.version + 1]);
  });
});

describe("what is watched", () => {
  test("goes on from the list, with objects as they are read", async () => {
    const { store, chains } = fresh();
    await chains.create("blue/web", { nfs: [] });
    const { revision } = await chains.list();
    await store.txn({ then: [put("tenants/blue", "{}")] });
    const { version } = await chains.create("blue/api", { nfs: ["x"] });
    await chains.delete("blue/web");
    const told = [];
    for await (const changes of await chains.watch(revision + 1)) {
      told.push(changes);
      if (told.length === 2) break;
    }
    expect(told).toEqual([
      { revision: version, changes: [{ type: "put", stored: { name: "blue/api", object: { nfs: ["x"] }, version, createRevision: version } }] },
      { revision: version + 1, changes: [{ type: "delete", name: "blue/web" }] },
    ]);
    expect((await store.status()).watches).toBe(0);
  });

  test("begins when it is asked for, not when it is read; closing it ends the loop", async () => {
    const { store, chains } = fresh();
    const watch = await chains.watch();
    const { version } = await chains.create("blue/web", { nfs: [] });
    for await (const { revision, changes } of watch) {
      expect([revision, changes.length]).toEqual([version, 1]);
      watch.close();
    }
    expect((await store.status()).watches).toBe(0);
  });
});

describe("what is stored", () => {
  const UPGRADED: Kind<Chain> = {
    ...KIND,
    version: 3,
    upgrades: { 1: (old) => ({ ...(old as object), replicas: 1 }), 2: (old) => ({ ...(old as object), nfs: ["two"] }) },
  };

  test("by an older version is brought up to date as it is read, and kept so when it is written", async () => {
    const { store, chains } = fresh();
    await chains.create("blue/web", { nfs: [] });
    const later = new Collection(store, UPGRADED);
    const { object, version } = await later.get("blue/web");
    expect(object).toEqual({ nfs: ["two"], replicas: 1 });
    await later.update("blue/web", object, version);
    await expect(chains.get("blue/web")).rejects.toEqual(refusal("store.object", /version 3/));
  });

  test.each([
    ["no JSON", "{"],
    ["no UTF-8", "\ufffd"],
    ["no object of ours", '{"nfs":[]}'],
    ["of version 0", '{"version":0,"object":{"nfs":[]}}'],
    ["of a later version", '{"version":2,"object":{"nfs":[]}}'],
    ["of another kind", '{"version":1,"object":{"name":"x"}}'],
    ["null", "null"],
  ])("and is %s is said to be that, and keeps nobody from the others", async (_, value) => {
    const { store, chains } = fresh();
    await store.txn({ then: [put("chains/blue/bad", value), chains.put("blue/good", { nfs: [] })] });
    await expect(chains.get("blue/bad")).rejects.toEqual(refusal("store.object", /blue\/bad/));
    const { objects, unreadable } = await chains.list();
    expect([objects.map(({ name }) => name), unreadable]).toEqual([["blue/good"], [refusal("store.object")]]);
    for await (const { changes } of await chains.watch(2)) {
      expect(changes.map(({ type }) => type)).toEqual(["unreadable", "put"]);
      break;
    }
    await chains.delete("blue/bad");
  });
});
