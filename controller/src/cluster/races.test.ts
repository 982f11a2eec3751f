/** Who changes something while somebody else does: nothing is lost, nothing is half done, and nobody is told what is not so. */
import { afterEach, expect, test } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { artifactOf } from "../artifacts/testing/artifacts.ts";
import { errorOf } from "../rpc/testing.ts";
import { type Store, type Txn, openMemoryStore } from "../store/index.ts";
import { ClusterWorld, inputOf } from "./testing/cluster_world.ts";

const BY = { by: "ann" };
const NAME = "blue/web";
const OF_TWO = { host: "h1", peers: [{ host: "h2", iface: "l0" }] };
const STALE = { ...BY, version: 1 };
let world: ClusterWorld;

/** A store whose transactions somebody looks at first. */
function watched(before: (txn: Txn) => Promise<void> | void): Store {
  const store = openMemoryStore();
  const txn = store.txn.bind(store);
  store.txn = async (asked) => {
    await before(asked);
    return txn(asked);
  };
  return store;
}
const writes = ({ then = [] }: Txn, op: "put" | "delete", key: string): boolean => then.some((one) => one.op === op && one.key === key);

async function open(options: Parameters<typeof ClusterWorld.open>[0] = {}): Promise<void> {
  world = await ClusterWorld.open({ manual: true, ...options });
  await world.push();
}
afterEach(() => world.close());

const texts = async (about: string): Promise<string[]> => (await world.cluster.events({ about, limit: 1000 })).map(({ text }) => text);

test("who has read an older version of a host changes nothing, and is told so by a dry run too", async () => {
  await open({ hosts: ["h1", "h2"] });
  await world.cluster.deploy(NAME, inputOf(OF_TWO), BY);
  await world.host("h2").stop();
  await world.advance(60_000);
  const { cluster } = world;
  for (const dryRun of [true, false])
    for (const change of [
      cluster.removeHost("h2", { ...STALE, dryRun }),
      cluster.cordon("h2", true, { ...STALE, dryRun }),
      cluster.drainHost("h2", { ...STALE, dryRun }),
    ])
      expect(await errorOf(change)).toMatchObject({ code: "store.stale", given: "1" });
  expect((await cluster.deployment(NAME)).wanted.object).toMatchObject({ peers: OF_TWO.peers, gone: [] });
  expect(await cluster.host("h2")).toMatchObject({ host: { object: { cordoned: false } } });
});

test("who has read an older version of a tenant is told so by a dry run too", async () => {
  await open({ tenants: ["blue", "green"] });
  expect(await errorOf(world.cluster.putTenant("green", {}, { ...STALE, dryRun: true }))).toMatchObject({ code: "store.stale" });
  expect(await errorOf(world.cluster.deleteTenant("green", { ...STALE, dryRun: true }))).toMatchObject({ code: "store.stale" });
});

test("a host that is removed while something is deployed on it is no place of that", async () => {
  await open({ hosts: ["h1", "h2"] });
  await world.host("h2").stop();
  await world.until(async () => !(await world.cluster.host("h2")).connected);
  let isFirst = true;
  world.host("h1").before = async () => {
    if (isFirst) await ((isFirst = false), world.cluster.removeHost("h2", BY));
  };
  expect(await errorOf(world.cluster.deploy(NAME, inputOf(OF_TWO), BY))).toMatchObject({ code: "store.not_found", given: "h2" });
  expect(await world.cluster.deployments()).toEqual([]);
});

test("what is forgotten by force, and was changed at that moment, is not said to be forgotten", async () => {
  let isArmed = false;
  const store = watched(async (txn) => {
    if (!isArmed || !writes(txn, "delete", `deployments/${NAME}`)) return;
    isArmed = false;
    await world.cluster.scale(NAME, { min: 2, max: 5 }, BY);
  });
  await open({ store });
  await world.cluster.deploy(NAME, inputOf(), BY);
  await world.host().stop();
  await world.until(async () => !(await world.cluster.host("h1")).connected);
  isArmed = true;
  expect(await errorOf(world.cluster.undeploy(NAME, { ...BY, force: true }))).toMatchObject({ code: "store.stale" });
  expect(await texts(NAME)).not.toContainEqual(expect.stringContaining("forgotten"));
  expect((await world.cluster.deployment(NAME)).wanted.object.scaling).toMatchObject({ max: 5 });
});

test("an NF that comes in while its tenant goes leaves nothing to whoever has the name next", async () => {
  await open({ tenants: ["blue", "green"] });
  const bytes = await artifactOf();
  const component = async function* () {
    yield bytes.subarray(0, 100);
    await world.cluster.deleteTenant("green", BY);
    yield bytes.subarray(100);
  };
  const { registry } = world.controller;
  expect(await errorOf(registry.upload({ tenant: "green", uploader: "test", component: component() }))).toMatchObject({ code: "store.not_found" });
  await world.cluster.putTenant("green", {}, BY);
  expect(await registry.nfs("green")).toMatchObject({ items: [] });
});

test("a tenant into which an NF comes while it goes, stays", async () => {
  const store = watched(async (txn) => {
    if (writes(txn, "delete", "tenants/green")) await world.push({}, "green").catch(() => undefined);
  });
  await open({ store, tenants: ["blue", "green"] });
  expect(await errorOf(world.cluster.deleteTenant("green", BY))).toMatchObject({ code: "cluster.in_use" });
  expect((await world.cluster.tenants()).map(({ name }) => name)).toContain("green");
});

test("a host that connects while the store has no room is followed as soon as there is some", async () => {
  let isFull = false;
  const store = watched((txn) => {
    if (isFull && writes(txn, "put", "hosts/known/h2")) throw new NfError("store.full", "there is no room");
  });
  await open({ store });
  isFull = true;
  const joining = world.addHost({ name: "h2" });
  await world.until(() => world.troubles.length > 0);
  await world.advance(10_000);
  expect(world.troubles).toEqual(["store.full: there is no room"]);
  isFull = false;
  await joining;
  expect(await world.cluster.host("h2")).toMatchObject({ connected: true, leased: true });
});

test("a drain that is refused is in no event, and leaves to scaling what scaling has drained", async () => {
  await open();
  await world.cluster.deploy(NAME, inputOf({ scaling: { min: 3, max: 3 } }), BY);
  await world.advance(3_000);
  world.host().before = (method) => {
    if (method === "remove_runtime") throw new NfError("runtime.busy", "not now");
  };
  void world.cluster.scale(NAME, { min: 2, max: 2 }, BY).catch(() => undefined);
  const draining = () =>
    world
      .host()
      .runtimesOf(NAME)
      .find(({ state }) => state === "draining");
  await world.until(() => draining() !== undefined);
  const { runtime } = draining()!;
  expect(await errorOf(world.cluster.drain(NAME, { runtime, to: [99], dry_run: false }, BY))).toMatchObject({ code: "runtime.unknown" });
  expect(await texts(NAME)).not.toContainEqual(expect.stringContaining("is drained by ann"));
  world.host().before = () => undefined;
  await world.advance(120_000);
  expect(
    world
      .host()
      .runtimesOf(NAME)
      .map((one) => one.runtime),
  ).not.toContain(runtime);
});

test("what is to end, and was made anew by a controller of a newer store, ends when it is said again", async () => {
  await open();
  await world.cluster.deploy(NAME, inputOf(), BY);
  await world.host().stop();
  await world.until(async () => !(await world.cluster.host("h1")).connected);
  expect(await world.cluster.undeploy(NAME, BY)).toMatchObject({ done: false });
  world.host().deployments.get(NAME)!.revision = 7;
  world.host().start();
  await world.until(() => world.host().isConnected);
  await world.advance(10_000);
  expect([...world.host().deployments.keys()]).toEqual([NAME]);
  expect(await world.settle(world.cluster.undeploy(NAME, BY))).toMatchObject({ done: true });
  expect([...world.host().deployments.keys()]).toEqual([]);
});

test("a deployment whose scaling cannot be written keeps no other one from being scaled", async () => {
  const store = watched((txn) => {
    if (writes(txn, "put", "scaling/blue/a")) throw new NfError("store.full", "there is no room");
  });
  await open({ store });
  await world.cluster.deploy("blue/a", inputOf({ ports: { client: { iface: "c1" }, server: { iface: "s1" } } }), BY);
  await world.cluster.deploy(NAME, inputOf(), BY);
  await world.advance(3_000);
  expect(await world.settle(world.cluster.scale(NAME, { min: 3, max: 3 }, BY))).toMatchObject({ done: true });
  expect(world.host().runtimesOf(NAME)).toHaveLength(3);
  expect(world.troubles).toContain("store.full: there is no room");
});
