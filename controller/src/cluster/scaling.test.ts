/** The scaling loop with hosts that report load, in virtual time. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { errorOf } from "../rpc/testing.ts";
import { ClusterWorld, inputOf } from "./testing/cluster_world.ts";

const BY = { by: "ann" };
const NAME = "blue/web";
let world: ClusterWorld;

beforeEach(async () => {
  world = await ClusterWorld.open({ manual: true });
  await world.push();
});
afterEach(() => world.close());

const deploy = async (scaling: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<void> => {
  await world.cluster.deploy(NAME, inputOf({ scaling, ...more }), BY);
  await world.advance(3000);
};
const numbers = (): number[] =>
  world
    .host()
    .runtimesOf(NAME)
    .map(({ runtime }) => runtime);
const flows = (): number =>
  world
    .host()
    .runtimesOf(NAME)
    .reduce((sum, one) => sum + one.flows, 0);
const asked = (method: string): Record<string, unknown>[] =>
  world.host().asked.flatMap((one) => (one.method === method && one.params["dry_run"] !== true ? [one.params] : []));
const explanations = async (): Promise<string[]> =>
  (await world.cluster.events({ about: NAME, limit: 1000 })).flatMap(({ kind, text }) => (kind === "scaling" ? [text] : []));

test("a load step is answered by more runtimes, and flows go to them until nobody has too much", async () => {
  await deploy({ min: 2, max: 6 });
  world.host().set(NAME, 1, { load: 0.98, flows: 1000 });
  world.host().set(NAME, 2, { load: 0.95, flows: 1000 });
  await world.advance(60_000);
  expect(numbers().length).toBeGreaterThanOrEqual(4);
  expect(
    Math.max(
      ...world
        .host()
        .runtimesOf(NAME)
        .map(({ load }) => load),
    ),
  ).toBeLessThan(0.75);
  expect(flows()).toBe(2000);
  expect(await explanations()).toEqual(
    expect.arrayContaining([expect.stringContaining("the load is too high"), expect.stringContaining("flows go to the coldest runtime")]),
  );
  const [event] = (await world.cluster.events({ about: NAME, limit: 1000 })).filter(({ text }) => text.includes("the load is too high"));
  expect(event).toMatchObject({ kind: "scaling", details: { group: NAME, rule: "load_out" } });
});

test("when load has gone, runtimes are drained, and end when they are empty", async () => {
  await deploy({ min: 2, max: 6, shrink_after_ms: 5000, shrink_again_ms: 2000 });
  await world.settle(world.cluster.scale(NAME, { min: 4, max: 6 }, BY));
  expect(numbers()).toHaveLength(4);
  for (const runtime of numbers()) world.host().set(NAME, runtime, { load: 0.01, flows: 10 });
  const outcome = await world.settle(world.cluster.scale(NAME, { min: 2, max: 2 }, BY));
  expect(outcome).toMatchObject({ action: "scale", done: true });
  await world.advance(40_000);
  expect(numbers()).toHaveLength(2);
  expect(flows()).toBe(40);
  expect(asked("remove_runtime").every(({ force }) => force === false)).toBe(true);
});

test("a deployment that is replaced has other processes: their counters begin anew, and that is nothing to be told", async () => {
  await deploy({ min: 2, max: 6 });
  for (const runtime of numbers()) world.host().set(NAME, runtime, { load: 0.6 });
  await world.advance(10_000);
  await world.settle(world.cluster.deploy(NAME, inputOf({ scaling: { min: 2, max: 6 }, memory_mb: 512 }), { ...BY, replace: true }));
  for (const runtime of numbers()) world.host().set(NAME, runtime, { load: 0.98, flows: 100 });
  await world.advance(10_000);
  const said = await explanations();
  expect(said).not.toContainEqual(expect.stringContaining("refused"));
  expect(said).toContainEqual(expect.stringContaining("the load is too high"));
});

test("a runtime that stays dead is replaced", async () => {
  await deploy({ min: 3, max: 6 });
  world.host().set(NAME, 2, { state: "down" });
  await world.advance(30_000);
  expect(asked("remove_runtime")).toEqual([{ deployment: NAME, runtime: 2, force: true, dry_run: false }]);
  expect(numbers()).toEqual([1, 3, 4]);
});

test("one that was drained by hand stays drained, and another takes its place, until it is undrained", async () => {
  await deploy({ min: 2, max: 6 });
  await world.cluster.drain(NAME, { runtime: 1, to: [], dry_run: false }, BY);
  await world.advance(180_000);
  expect(asked("undrain")).toEqual([]);
  expect(asked("remove_runtime")).toEqual([]);
  expect(numbers()).toEqual([1, 2, 3]);
  expect(await explanations()).toEqual(expect.arrayContaining([expect.stringContaining("somebody has drained it by hand")]));
  await world.cluster.undrain(NAME, { runtime: 1 }, BY);
  await world.advance(240_000);
  expect(numbers()).toHaveLength(2);
  expect(flows()).toBe(0);
});

test("the tenant's quota and the host's room bound it", async () => {
  await world.cluster.putTenant("blue", { runtimes_max: 3 }, BY);
  await deploy({ min: 2, max: 6 });
  for (const runtime of numbers()) world.host().set(NAME, runtime, { load: 1, flows: 1000 });
  await world.advance(60_000);
  expect(numbers()).toHaveLength(3);
  expect(await explanations()).toEqual(expect.arrayContaining([expect.stringContaining("the tenant's quota is used up")]));
});

describe("a controller that is started anew", () => {
  test("asks under the same keys, and does nothing twice", async () => {
    await deploy({ min: 2, max: 6 });
    let isHeld = true;
    world.host().before = async (method) => {
      while (method === "add_runtime" && isHeld) await new Promise((done) => setImmediate(done));
    };
    const scaled = world.cluster.scale(NAME, { min: 3, max: 3 }, BY).catch(() => undefined);
    await world.until(() => world.host().asked.some(({ method }) => method === "add_runtime"));
    await world.closeController();
    await scaled;
    await world.openController();
    isHeld = false;
    await world.until(() => world.host().isConnected);
    await world.advance(60_000);
    expect(numbers()).toEqual([1, 2, 3]);
    expect(
      new Set(
        world
          .host()
          .asked.filter(({ method }) => method === "add_runtime")
          .map(({ key }) => key),
      ).size,
    ).toBe(1);
  });

  test("goes on with what was begun, also when the date was put back by an hour", async () => {
    await deploy({ min: 2, max: 6 });
    let isHeld = true;
    world.host().before = async (method) => {
      if (method !== "add_runtime" || !isHeld) return;
      while (isHeld) await new Promise((done) => setImmediate(done));
      throw new NfError("rpc.closed", "it was never begun");
    };
    const scaled = world.cluster.scale(NAME, { min: 3, max: 3 }, BY).catch(() => undefined);
    await world.until(() => asked("add_runtime").length > 0);
    await world.closeController();
    await scaled;
    world.dateShiftMs = -3_600_000;
    await world.openController();
    isHeld = false;
    await world.until(() => world.host().isConnected);
    await world.advance(60_000);
    expect(numbers()).toEqual([1, 2, 3]);
  });

  test("knows what it has drained itself", async () => {
    await deploy({ min: 4, max: 4 });
    for (const runtime of numbers()) world.host().set(NAME, runtime, { flows: 10 });
    void world.cluster.scale(NAME, { min: 2, max: 2 }, BY).catch(() => undefined);
    await world.until(() => asked("drain").length > 0);
    await world.closeController();
    await world.openController();
    await world.until(() => world.host().isConnected);
    await world.advance(60_000);
    expect(numbers()).toHaveLength(2);
    expect(flows()).toBe(40);
  });
});

const agent = { address: "10.0.0.2:7700", iface: "l1", key: "ab".repeat(32) };
const onPeer = (isThere: boolean): readonly { readonly runtime: number; readonly homes: readonly number[] }[] =>
  world
    .host()
    .runtimesOf(NAME)
    .filter((one) => (one.agent === agent.address) === isThere);
const withPeer = { host: "h1", replication: {}, peers: [{ host: "h2", iface: "l0" }] };

test("with a peer, owners and replicas are on different hosts; and that host is emptied again", async () => {
  await world.addHost({ name: "h2", agent });
  await deploy({ min: 3, max: 4 }, withPeer);
  await world.advance(40_000);
  expect(asked("configure_peers")[0]).toMatchObject({ peers: [{ name: "h2", ...agent, iface: "l0" }] });
  expect(asked("add_runtime")).toEqual([{ deployment: NAME, at: "h2" }]);
  const [[there], here] = [onPeer(true), onPeer(false)];
  expect(here).toHaveLength(2);
  expect(here.map(({ homes }) => homes)).toEqual(here.map(() => [there!.runtime]));
  world.host().set(NAME, there!.runtime, { flows: 50 });
  expect((await world.cluster.host("h2")).info).toMatchObject({ agent: { address: agent.address } });
  expect(JSON.stringify(await world.cluster.hosts())).not.toContain(agent.key);
  expect((await world.cluster.host("h2")).runtimes).toBe(1);
  const result = await world.settle(world.cluster.drainHost("h2", BY));
  expect(result).toEqual({ moved: 1, left: [] });
  expect(flows()).toBe(50);
  expect(onPeer(true)).toEqual([]);
  expect((await world.cluster.host("h2")).runtimes).toBe(0);
  // And back: the other way round only the switch would be left.
  await world.cluster.cordon("h2", false, BY);
  await world.advance(40_000);
  expect([onPeer(false).length, onPeer(true).length]).toEqual([2, 1]);
  const other = await world.settle(world.cluster.drainHost("h1", BY));
  expect(other).toEqual({ moved: 2, left: [NAME] });
  expect([onPeer(false).length, onPeer(true).length, flows()]).toEqual([0, 3, 50]);
  // Two that were missing, no more: one that has just started is known to be there.
  expect(asked("add_runtime")).toHaveLength(5);
});

test("a host that is taken out of a deployment is emptied first, and only then no peer any more", async () => {
  await world.addHost({ name: "h2", agent });
  await deploy({ min: 2, max: 4 }, withPeer);
  await world.advance(40_000);
  world.host().set(NAME, onPeer(true)[0]!.runtime, { flows: 50 });
  await world.settle(world.cluster.deploy(NAME, inputOf({ scaling: { min: 2, max: 4 }, ...withPeer, peers: [] }), BY));
  expect(onPeer(true)).toHaveLength(1);
  await world.advance(60_000);
  expect([onPeer(false).length, onPeer(true).length, flows()]).toEqual([2, 0, 50]);
  expect(world.host().deployments.get(NAME)!.peers).toEqual([]);
  expect(asked("remove_runtime").every(({ force }) => force === false)).toBe(true);
  expect((await world.cluster.deployment(NAME)).why).toBeUndefined();
});

test("a host that is away has its runtimes as long as they work; when it is lost they are replaced, and it can be removed", async () => {
  const far = await world.addHost({ name: "h2", agent });
  await deploy({ min: 2, max: 4 }, withPeer);
  await world.advance(40_000);
  const [there] = onPeer(true);
  expect(await errorOf(world.cluster.removeHost("h2", BY))).toMatchObject({ code: "cluster.in_use" });
  await far.stop();
  await world.advance(120_000);
  expect(await world.cluster.host("h2")).toMatchObject({ connected: false, leased: false, runtimes: 1 });
  expect(asked("remove_runtime").filter(({ force }) => force)).toEqual([]);
  expect(await errorOf(world.cluster.removeHost("h2", BY))).toMatchObject({ code: "cluster.in_use" });
  world.host().set(NAME, there!.runtime, { state: "down" });
  await world.advance(30_000);
  expect(asked("remove_runtime").filter(({ force }) => force)).toMatchObject([{ runtime: there!.runtime }]);
  expect([onPeer(false).length, onPeer(true).length]).toEqual([2, 0]);
  await world.cluster.removeHost("h2", BY);
  await world.advance(5_000);
  expect(asked("configure_peers").at(-1)).toMatchObject({ peers: [], gone: ["h2"] });
  expect((await world.cluster.deployment(NAME)).wanted.object).toMatchObject({ peers: [], gone: ["h2"] });
});
