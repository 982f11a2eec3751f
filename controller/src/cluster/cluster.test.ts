/** A whole controller with hosts that do as they are told, in virtual time. */
import { openSqliteStore } from "../store/index.ts";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorOf } from "../rpc/testing.ts";
import { ClusterWorld, inputOf } from "./testing/cluster_world.ts";

const BY = { by: "ann" };
let world: ClusterWorld;

afterEach(() => world.close());

async function open(options: Parameters<typeof ClusterWorld.open>[0] = {}): Promise<void> {
  world = await ClusterWorld.open({ manual: true, ...options });
  await world.push();
}

const texts = async (about?: string): Promise<string[]> => (await world.cluster.events({ about, limit: 1000 })).map(({ text }) => text);
const ports = (n: number) => ({ ports: { client: { iface: `c${n}` }, server: { iface: `s${n}` } } });
/** Methods that were asked of the host, without dry runs. */
const asked = (name = "h1"): string[] => world.host(name).asked.flatMap(({ method, params }) => (params["dry_run"] === true ? [] : [method]));

describe("deployments", () => {
  beforeEach(() => open());

  test("what is deployed runs, by digest, and its artifact has come from here", async () => {
    const outcome = await world.cluster.deploy("blue/web", inputOf(), BY);
    expect(outcome).toMatchObject({ deployment: "blue/web", revision: 1, action: "start", done: true, dry_run: false });
    const { object } = await world.controller.registry.resolve("blue", "firewall");
    expect(world.host().deployments.get("blue/web")?.spec.chain).toMatchObject([
      { name: "firewall", nf: { version: "1.0.0", digest: object.artifact.digest } },
    ]);
    expect([...world.host().artifacts]).toEqual([object.artifact.digest]);
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "running", seen: { revision: 1 }, wanted: { object: { host: "h1" } } });
    expect(await texts("blue/web")).toEqual(expect.arrayContaining([expect.stringMatching(/revision 1 \(deploy\) by ann: firewall@1.0.0/)]));
  });

  test("the same again is nothing new", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    const before = asked().length;
    expect(await world.cluster.deploy("blue/web", inputOf(), BY)).toMatchObject({ action: "none", revision: 1, done: true });
    expect(asked()).toHaveLength(before);
  });

  test("what a host is still finding when a controller comes back is known to run soon after it does", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    const has = world.host().deployments.get("blue/web")!;
    has.state = "starting";
    await world.closeController();
    await world.openController();
    await world.until(async () => (await world.cluster.deployment("blue/web")).seen?.state === "starting");
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "behind" });
    has.state = "running";
    await world.advance(1000);
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "running" });
  });

  test("a dry run asks the host and changes nothing", async () => {
    expect(await world.cluster.deploy("blue/web", inputOf(), { ...BY, dryRun: true })).toMatchObject({ dry_run: true, action: "start", done: true });
    expect(await world.cluster.deployments()).toEqual([]);
    expect(asked()).toEqual([]);
  });

  test("an NF is swapped on what runs, and rolled back", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    await world.push({ version: "1.1.0", build: 1 });
    const swapped = await world.cluster.swap("blue/web", { entry: "firewall", nf: "firewall@1.1.0" }, BY);
    expect(swapped).toMatchObject({ action: "swap", revision: 2, done: true, nf: { version: "1.1.0" }, swap: { pause_ns: 1200 } });
    expect(await world.cluster.rollback("blue/web", {}, BY)).toMatchObject({ action: "swap", revision: 3, done: true });
    expect(world.host().deployments.get("blue/web")).toMatchObject({ revision: 3, starts: 1, spec: { chain: [{ nf: { version: "1.0.0" } }] } });
    expect(await world.cluster.rollback("blue/web", { to: 2 }, BY)).toMatchObject({ revision: 4 });
    expect(await errorOf(world.cluster.rollback("blue/web", { to: 17 }, BY))).toMatchObject({ code: "cluster.revision", allowed: "1, 2, 3, 4" });
  });

  test("a swap whose layout differs is refused before anything changes, also when the host is away", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    const next = await world.push({ version: "1.1.0", build: 1 });
    world.host().layouts.set(next.object.artifact.digest, "another");
    expect(await errorOf(world.cluster.swap("blue/web", { entry: "firewall", nf: "firewall@1.1.0" }, BY))).toMatchObject({ code: "swap.layout" });
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "running", seen: { revision: 1 } });
    expect((await world.cluster.deployment("blue/web")).wanted.object.revisions).toHaveLength(1);
  });

  test("what would end flows has to be allowed to", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    world.host().set("blue/web", 1, { flows: 7 });
    const other = inputOf({ memory_mb: 512 });
    expect(await errorOf(world.cluster.deploy("blue/web", other, BY))).toMatchObject({ code: "cluster.replace" });
    expect(await world.cluster.deploy("blue/web", other, { ...BY, replace: true })).toMatchObject({ action: "replace", flows_ended: 7, revision: 2 });
  });

  test("it is undeployed, and its name is free", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    world.host().set("blue/web", 1, { flows: 3 });
    expect(await world.cluster.undeploy("blue/web", { ...BY, dryRun: true })).toMatchObject({ dry_run: true, flows_ended: 3 });
    expect(await world.cluster.undeploy("blue/web", BY)).toMatchObject({ flows_ended: 3, done: true });
    expect(world.host().deployments.size).toBe(0);
    expect(await errorOf(world.cluster.deployment("blue/web"))).toMatchObject({ code: "store.not_found" });
    expect(await world.cluster.deploy("blue/web", inputOf(), BY)).toMatchObject({ revision: 1, action: "start" });
  });

  test("who has read an older version is refused", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    const { version } = (await world.cluster.deployment("blue/web")).wanted;
    expect(await world.settle(world.cluster.scale("blue/web", { min: 2, max: 5 }, { ...BY, version }))).toMatchObject({
      action: "scale",
      revision: 1,
      done: true,
    });
    for (const attempt of [
      world.cluster.scale("blue/web", { min: 2, max: 4 }, { ...BY, version }),
      world.cluster.deploy("blue/web", inputOf(), { ...BY, version }),
      world.cluster.undeploy("blue/web", { ...BY, version }),
    ])
      expect(await errorOf(attempt)).toMatchObject({ code: "store.stale" });
  });

  test("quotas hold, and interfaces have one deployment", async () => {
    await world.cluster.putTenant("blue", { deployments_max: 2, runtimes_max: 5 }, BY);
    await world.cluster.deploy("blue/web", inputOf(), BY);
    expect(await errorOf(world.cluster.deploy("blue/two", inputOf(), BY))).toMatchObject({ code: "cluster.port", given: "c0" });
    expect(await errorOf(world.cluster.deploy("blue/two", inputOf({ ...ports(1), scaling: { min: 4 } }), BY))).toMatchObject({
      code: "cluster.quota",
      allowed: "5",
    });
    await world.cluster.deploy("blue/two", inputOf(ports(1)), BY);
    expect(await errorOf(world.cluster.deploy("blue/three", inputOf(ports(2)), BY))).toMatchObject({ code: "cluster.quota", allowed: "2" });
    expect(await errorOf(world.cluster.scale("blue/web", { min: 4, max: 8 }, BY))).toMatchObject({ code: "cluster.quota" });
    expect(await errorOf(world.cluster.scale("blue/web", { min: 4, max: 80 }, BY))).toMatchObject({ code: "config.field" });
  });

  test("of many who deploy at once, no more come in than the quota allows", async () => {
    await world.cluster.putTenant("blue", { deployments_max: 3 }, BY);
    const results = await Promise.allSettled([0, 1, 2, 3, 4, 5].map((n) => world.cluster.deploy(`blue/d${n}`, inputOf(ports(n)), BY)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  });

  test("bad wishes are refused in words", async () => {
    const refused = async (name: string, more: Record<string, unknown>): Promise<unknown> =>
      errorOf((async () => world.cluster.deploy(name, { ...inputOf(), ...more } as never, BY))());
    expect(await refused("web", {})).toMatchObject({ code: "store.name" });
    expect(await refused("blue/../x", {})).toMatchObject({ code: "store.name" });
    expect(await refused("nobody/web", {})).toMatchObject({ code: "store.not_found" });
    expect(await refused("blue/web", { host: "h9" })).toMatchObject({ code: "store.not_found", allowed: "h1" });
    expect(await refused("blue/web", { chain: [] })).toMatchObject({ code: "config.field" });
    expect(await refused("blue/web", { scaling: { min: 1 } })).toMatchObject({
      code: "config.field",
      message: expect.stringContaining("scaling.min") as string,
    });
    expect(await refused("blue/web", { chain: [{ nf: "nat99" }] })).toMatchObject({ code: "artifact.not_found" });
    expect(await refused("blue/web", { chain: [{ nf: "firewall" }, { nf: "firewall" }] })).toMatchObject({ code: "config.field" });
    expect(await refused("blue/web", { chain: [{ nf: "firewall", config: { no_such: 1 } }] })).toMatchObject({ code: "config.field" });
    expect(await refused("blue/web", { peers: [{ host: "h1", iface: "l0" }] })).toMatchObject({ code: "config.field" });
    await world.push({ name: "editor", more: { rights: { view: "payload", edit: "payload" } } });
    expect(await refused("blue/web", { chain: [{ nf: "editor" }] })).toMatchObject({ code: "config.rights" });
    expect(await world.cluster.deployments()).toEqual([]);
  });

  test("what the host refuses beforehand is not written down; what fails afterwards is tried again", async () => {
    const { NfError } = await import("@nfactor/sdk/errors");
    const host = world.host();
    host.before = (method) => {
      if (method === "deploy") throw new NfError("port.missing", "there is no c0");
    };
    expect(await errorOf(world.cluster.deploy("blue/web", inputOf(), BY))).toMatchObject({ code: "port.missing" });
    expect(await world.cluster.deployments()).toEqual([]);
    let failures = 0;
    host.before = (method, params) => {
      if (method === "deploy" && params["dry_run"] === false && (failures += 1) <= 2) throw new NfError("eal.memory", "there is no memory");
    };
    expect(await errorOf(world.cluster.deploy("blue/web", inputOf(), BY))).toMatchObject({ code: "eal.memory" });
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "failed", why: "there is no memory" });
    await world.until(async () => (await world.cluster.deployment("blue/web")).state === "running");
    expect((await world.cluster.deployment("blue/web")).why).toBeUndefined();
    const keys = host.asked.flatMap(({ method, params, key }) => (method === "deploy" && params["dry_run"] === false ? [key] : []));
    expect(new Set(keys).size).toBe(3);
  });
});

describe("hosts", () => {
  beforeEach(() => open());

  test("a deployment is stored while its host is away, and carried out when it is back", async () => {
    await world.host().stop();
    await world.until(async () => !(await world.cluster.host("h1")).connected);
    expect(await world.cluster.deploy("blue/web", inputOf(), BY)).toMatchObject({ done: false, revision: 1 });
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "host_away" });
    expect(await errorOf(world.cluster.flows("blue/web", { match: [], limit: 1 }))).toMatchObject({ code: "cluster.host_away" });
    world.host().start();
    await world.until(async () => (await world.cluster.deployment("blue/web")).state === "running");
    expect(asked()).toEqual(["deploy"]);
  });

  test("undeployed while its host is away, it goes when the host is back; or at once, with force, and is then left alone", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    await world.cluster.deploy("blue/two", inputOf(ports(1)), BY);
    await world.host().stop();
    await world.until(async () => !(await world.cluster.host("h1")).connected);
    expect(await world.cluster.undeploy("blue/web", BY)).toMatchObject({ done: false });
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "ending" });
    expect(await errorOf(world.cluster.deploy("blue/web", inputOf(), BY))).toMatchObject({ code: "cluster.ending" });
    expect(await world.cluster.undeploy("blue/two", { ...BY, force: true })).toMatchObject({ done: true });
    world.host().start();
    await world.until(async () => (await world.cluster.deployments()).length === 0);
    await world.advance(5000);
    expect([...world.host().deployments.keys()]).toEqual(["blue/two"]);
    expect(await texts("blue/two")).toEqual(expect.arrayContaining([expect.stringContaining("nothing is known of it: it is left as it is")]));
    await world.cluster.undeploy("blue/two", BY);
    expect(world.host().deployments.size).toBe(0);
  });

  test("it is there as long as its lease lasts, longer than its connection", async () => {
    expect(await world.cluster.host("h1")).toMatchObject({ connected: true, leased: true });
    await world.advance(60_000);
    expect(await world.cluster.host("h1")).toMatchObject({ connected: true, leased: true });
    await world.host().stop();
    await world.until(async () => !(await world.cluster.host("h1")).connected);
    expect(await world.cluster.host("h1")).toMatchObject({ connected: false, leased: true });
    await world.advance(31_000);
    expect(await world.cluster.host("h1")).toMatchObject({ leased: false });
    expect(await texts("h1")).toEqual(
      expect.arrayContaining(["it has joined", "it is connected", "its connection has ended", expect.stringContaining("it is lost")]),
    );
    expect(await world.cluster.health()).toEqual({ ok: true, store: "ok", hosts: 1, hosts_connected: 0 });
  });

  test("it gets artifacts that its deployments name, and no others", async () => {
    const { fetchArtifact } = await import("@nfactor/host/session");
    const other = await world.push({ name: "nat44" });
    await world.cluster.deploy("blue/web", inputOf(), BY);
    expect(await errorOf(fetchArtifact(world.host().sessions, other.object.artifact.digest))).toMatchObject({ code: "artifact.not_found" });
  });

  test("it is cordoned, and removed when nothing is on it", async () => {
    await world.cluster.deploy("blue/web", inputOf(), BY);
    await world.cluster.cordon("h1", true, BY);
    expect(await errorOf(world.cluster.deploy("blue/two", inputOf(ports(1)), BY))).toMatchObject({ code: "cluster.host" });
    expect(await world.cluster.drainHost("h1", BY)).toEqual({ moved: 0, left: ["blue/web"] });
    expect(await errorOf(world.cluster.removeHost("h1", BY))).toMatchObject({ code: "cluster.in_use" });
    await world.cluster.undeploy("blue/web", BY);
    await world.host().stop();
    await world.until(async () => !(await world.cluster.host("h1")).connected);
    await world.cluster.removeHost("h1", BY);
    expect(await world.cluster.hosts()).toEqual([]);
  });
});

describe("what is kept", () => {
  test("versions that are deployed, or that one may go back to, are not collected", async () => {
    await open();
    const first = await world.controller.registry.resolve("blue", "firewall");
    await world.cluster.deploy("blue/web", inputOf(), BY);
    await world.push({ version: "1.1.0", build: 1 });
    await world.cluster.swap("blue/web", { entry: "firewall", nf: "firewall@1.1.0" }, BY);
    expect(await errorOf(world.controller.registry.delete("blue", `firewall@${first.object.manifest.version}`))).toMatchObject({ code: "artifact.in_use" });
    await world.cluster.undeploy("blue/web", BY);
    await world.controller.registry.delete("blue", "firewall@1.0.0");
  });

  test("a tenant goes when it has nothing", async () => {
    await open();
    expect((await world.cluster.tenants()).map(({ name }) => name)).toEqual(["blue", "default"]);
    expect(await errorOf(world.cluster.deleteTenant("blue", BY))).toMatchObject({ code: "cluster.in_use" });
    await world.controller.registry.delete("blue", "firewall@1.0.0");
    await world.cluster.deleteTenant("blue", BY);
    expect((await world.cluster.tenants()).map(({ name }) => name)).toEqual(["default"]);
  });

  test("a controller that was started anew sees soon that what it has found starting runs", async () => {
    await open();
    await world.cluster.deploy("blue/web", inputOf(), BY);
    const web = world.host().deployments.get("blue/web")!;
    await world.closeController();
    web.state = "starting";
    await world.openController();
    await world.until(async () => (await world.cluster.deployment("blue/web")).seen?.state === "starting");
    web.state = "running";
    await world.advance(1000);
    expect(await world.cluster.deployment("blue/web")).toMatchObject({ state: "running" });
  });

  test("a controller that was put back from an older copy ends nothing, and takes over what it is told to", async () => {
    await open();
    await world.cluster.deploy("blue/web", inputOf(), BY);
    await world.closeController();
    const { copyFileSync } = await import("node:fs");
    const file = join(world.folder, "store.db");
    openSqliteStore(file).close();
    copyFileSync(file, `${file}.copy`);
    await world.openController();
    await world.until(async () => (await world.cluster.deployment("blue/web")).state === "running");
    await world.push({ version: "1.1.0", build: 1 });
    await world.cluster.swap("blue/web", { entry: "firewall", nf: "firewall@1.1.0" }, BY);
    await world.cluster.deploy("blue/two", inputOf(ports(1)), BY);
    await world.closeController();
    copyFileSync(`${file}.copy`, file);
    const before = asked();
    await world.openController();
    await world.until(() => world.host().isConnected);
    await world.advance(20_000);
    expect(asked()).toEqual(before);
    expect([...world.host().deployments].map(([name, { revision }]) => [name, revision])).toEqual([
      ["blue/web", 2],
      ["blue/two", 1],
    ]);
    expect(await texts("blue/web")).toEqual(expect.arrayContaining([expect.stringContaining("the store seems to be an older copy")]));
    expect(await world.cluster.deploy("blue/web", inputOf({ chain: [{ nf: "firewall@1.0.0" }], scaling: { min: 2, max: 3 } }), BY)).toMatchObject({
      revision: 3,
      done: true,
    });
    expect(world.host().deployments.get("blue/web")).toMatchObject({ revision: 3 });
  });
});
