/**
 * A controller that dies at any moment: the store takes no more writes from there on, everything in memory is gone, and hosts go on as they
 * were asked to.
 * The next one, over the same file, has to bring everything to where it should be, with nothing half done. NF_CLUSTER_KILLS: every how manyth moment; 1: all.
 */
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { expect, test } from "vitest";
import { type Store, openSqliteStore } from "../store/index.ts";
import { ClusterWorld, inputOf } from "./testing/cluster_world.ts";

const EVERY = Number(process.env.NF_CLUSTER_KILLS ?? 3);
const BY = { by: "ann" };

/** After so many transactions it is as if the process were dead: before the last one takes place, or after it, and before anybody hears of it. */
function mortal(store: Store, lives: { left: number; afterwards: boolean }): Store {
  const dead = (): Promise<never> => Promise.reject(new NfError("store.closed", "dead"));
  return new Proxy(store, {
    get(target, name) {
      if (name === "close") return () => target.close();
      if (name === "txn" && lives.left > 0)
        return async (...params: Parameters<Store["txn"]>) => {
          lives.left -= 1;
          if (lives.left > 0) return target.txn(...params);
          if (lives.afterwards) await target.txn(...params);
          return dead();
        };
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return lives.left > 0 ? member.bind(target) : dead;
    },
  });
}

/** What somebody wants, one thing after the other. */
async function life(world: ClusterWorld): Promise<void> {
  const { cluster } = world;
  await world.settle(cluster.deploy("blue/web", inputOf({ chain: [{ nf: "firewall@1.0.0" }] }), BY));
  await world.settle(cluster.deploy("blue/two", inputOf({ ports: { client: { iface: "c1" }, server: { iface: "s1" } } }), BY));
  await world.settle(cluster.swap("blue/web", { entry: "firewall", nf: "firewall@1.1.0" }, BY));
  await world.settle(cluster.scale("blue/web", { min: 3, max: 4 }, BY));
  await world.settle(cluster.undeploy("blue/two", BY));
  await world.settle(cluster.rollback("blue/web", {}, BY));
}

async function dieAt(moment: number, afterwards: boolean): Promise<boolean> {
  const lives = { left: Infinity, afterwards };
  const world = await ClusterWorld.open({ manual: true });
  try {
    await world.push({ version: "1.0.0" });
    await world.push({ version: "1.1.0", build: 1 });
    await world.closeController();
    const file = join(world.folder, "store.db");
    await world.openController(mortal(openSqliteStore(file, { clock: world.clock! }), lives));
    await world.until(() => world.host().isConnected);
    lives.left = moment;
    let isOver = false;
    const living = life(world).then(
      () => true,
      () => false,
    );
    void living.then(() => (isOver = true));
    // What dies may be something that nobody waits for.
    await world.until(() => isOver || lives.left === 0, 1_000_000);
    await world.closeController().catch(() => undefined);
    const done = await living;
    await world.openController();
    await world.until(async () => (await world.cluster.health()).hosts_connected === 1);
    await world.advance(30_000);
    const where = `moment ${moment}${afterwards ? ", afterwards" : ""}`;
    const views = await world.cluster.deployments();
    expect(
      views.map(({ name, state, why }) => [name, state, why]),
      where,
    ).toEqual(views.map(({ name }) => [name, "running", undefined]));
    expect([...world.host().deployments.keys()].sort(), where).toEqual(views.map(({ name }) => name));
    for (const { name, wanted } of views) {
      const { revision, spec } = wanted.object.revisions.at(-1)!;
      expect(world.host().deployments.get(name), where).toMatchObject({ revision, spec, starts: 1 });
      const { min, max } = wanted.object.scaling;
      const count = world.host().runtimesOf(name).length;
      expect(count >= min && count <= max, `${where}: ${count} runtimes of ${min} to ${max}`).toBe(true);
    }
    // And everything goes on from there.
    for (const { name } of views) await world.settle(world.cluster.undeploy(name, BY));
    expect(world.host().deployments.size, where).toBe(0);
    await world.settle(life(world));
    return done;
  } finally {
    await world.close();
  }
}

test("whenever it dies, the next one comes to what was wanted, with nothing half done", async () => {
  let moment = 1;
  while (!(await dieAt(moment, moment % 2 === 0))) moment += EVERY;
  expect(moment).toBeGreaterThan(20);
}, 120_000);
