/** What is asked of hosts, under random wishes, failures and times: it ends where it should, and nothing wanted is ended. NF_CLUSTER_SEED gives a case back. */
import type { DeploymentSpec, DeploymentStatus } from "@nfactor/host/cluster";
import { deploymentSpecSchema } from "@nfactor/host/deployment";
import { Random } from "@nfactor/sdk/random";
import { describe, expect, test } from "vitest";
import { type Desired, type ObservedHost, type Order, changeOf, onlyChange, peersText, reconcile } from "./reconcile.ts";

const SEED = Number(process.env.NF_CLUSTER_SEED ?? 1);
const digest = (n: number): string => n.toString(16).padStart(64, "0");
const specOf = (...digests: number[]): DeploymentSpec =>
  deploymentSpecSchema.parse({
    ports: { client: { iface: "c0" }, server: { iface: "s0" } },
    chain: digests.map((n, i) => ({ name: `e${i}`, nf: { name: "firewall", version: "1.0.0", digest: digest(n) } })),
  });
const wish = (more: Partial<Desired> = {}): Desired => ({
  ...{ deployment: "blue/web", host: "h1", incarnation: 7, revision: 1, spec: specOf(1), replace: false, ending: false },
  ...{ peers: [], gone: [], peersTold: undefined, isBusy: false, notBeforeMs: 0, attempt: 0 },
  ...more,
});
const status = (more: Partial<DeploymentStatus> = {}): DeploymentStatus => ({
  deployment: "blue/web",
  revision: 1,
  spec: specOf(1),
  state: "running",
  starts: 1,
  ...more,
});
const host = (...deployments: DeploymentStatus[]): ObservedHost => ({ host: "h1", deployments });
const kinds = (desired: readonly Desired[], observed: readonly ObservedHost[], nowMs = 0): string[] =>
  reconcile(desired, observed, nowMs).orders.map(({ kind }) => kind);

describe("what is asked for", () => {
  test("what is missing is deployed, and what is as it should be is left alone", () => {
    expect(reconcile([wish()], [host()], 0).orders).toMatchObject([{ kind: "deploy", revision: 1, key: "blue/web#7.1.0" }]);
    expect(kinds([wish()], [host(status())])).toEqual([]);
    expect(kinds([wish()], [])).toEqual([]);
  });

  test("one entry that is another is swapped; more are deployed", () => {
    const next = wish({ revision: 2, spec: specOf(1, 3) });
    expect(reconcile([next], [host(status({ spec: specOf(1, 2) }))], 0).orders).toMatchObject([
      { kind: "swap", entry: "e1", next: { nf: { digest: digest(3) } } },
    ]);
    expect(kinds([next], [host(status({ spec: specOf(2, 2) }))])).toEqual(["deploy"]);
    expect(kinds([next], [host(status({ spec: specOf(1, 2), state: "failed" }))])).toEqual(["deploy"]);
  });

  test("nothing while an order is under way, or before its time", () => {
    expect(kinds([wish({ isBusy: true })], [host()])).toEqual([]);
    expect(kinds([wish({ notBeforeMs: 5 })], [host()], 4)).toEqual([]);
    expect(kinds([wish({ notBeforeMs: 5 })], [host()], 5)).toEqual(["deploy"]);
  });

  test("what is to end is ended, and then forgotten", () => {
    expect(kinds([wish({ ending: true })], [host(status())])).toEqual(["undeploy"]);
    expect(reconcile([wish({ ending: true })], [host()], 0).ended).toEqual(["blue/web"]);
    expect(reconcile([wish({ ending: true, isBusy: true })], [host()], 0).ended).toEqual([]);
    expect(reconcile([wish({ ending: true })], [], 0).ended).toEqual([]);
  });

  test("peers are told once, and again when they are others", () => {
    const peers = [{ name: "h2", address: "10.0.0.2:7700", key: "0".repeat(64), iface: "l0" }];
    expect(kinds([wish({ peers })], [host(status())])).toEqual(["configure_peers"]);
    const peersTold = peersText(peers, [], 1);
    expect(kinds([wish({ peers, peersTold })], [host(status())])).toEqual([]);
    expect(kinds([wish({ peers: [], peersTold })], [host(status())])).toEqual(["configure_peers"]);
    expect(kinds([wish({ peers, peersTold })], [host(status({ starts: 2 }))])).toEqual(["configure_peers"]);
    expect(reconcile([wish({ gone: ["h3"] })], [host(status())], 0).orders).toMatchObject([{ kind: "configure_peers", peers: [], gone: ["h3"] }]);
    expect(kinds([wish({ peers })], [host(status({ state: "starting" }))])).toEqual([]);
  });

  test("what nobody knows of is reported and left alone; so is what is newer than the store", () => {
    const unknown = reconcile([], [host(status())], 0);
    expect(unknown).toMatchObject({ orders: [], ended: [], findings: [{ kind: "stray", deployment: "blue/web", host: "h1" }] });
    for (const ending of [false, true]) {
      const older = reconcile([wish({ ending })], [host(status({ revision: 5, spec: specOf(9) }))], 0);
      expect(older).toMatchObject({ orders: [], ended: [], findings: [{ kind: "ahead" }] });
    }
    expect(reconcile([wish({ host: "h2" })], [host(status())], 0)).toMatchObject({ orders: [], findings: [{ kind: "stray" }] });
  });
});

test("a change is a swap when the shape stays, and only one entry is swapped by itself", () => {
  expect(changeOf(specOf(1, 2), specOf(1, 2))).toBe("none");
  expect(changeOf(specOf(1, 2), { ...specOf(1, 2), runtimes: 5 })).toBe("none");
  expect(changeOf(specOf(1, 2), specOf(3, 4))).toBe("swap");
  expect(changeOf(specOf(1, 2), specOf(1))).toBe("replace");
  expect(changeOf(specOf(1), { ...specOf(1), memory_mb: 512 })).toBe("replace");
  expect(onlyChange(specOf(1, 2), specOf(3, 4))).toBeUndefined();
  expect(onlyChange(specOf(1), specOf(1))).toBeUndefined();
});

/** Hosts and a controller in turns: orders are carried out, fail, or get lost after they were carried out. */
class Simulation {
  readonly random: Random;
  readonly desired = new Map<string, Desired>();
  readonly hosts = new Map<string, { deployments: Map<string, DeploymentStatus>; isAway: boolean }>();
  readonly busy = new Map<string, Order>();
  now = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    for (const name of ["h1", "h2"]) this.hosts.set(name, { deployments: new Map(), isAway: false });
  }

  wish(): void {
    const name = `blue/d${this.random.below(4)}`;
    const known = this.desired.get(name);
    const spec = specOf(this.random.below(3), this.random.below(3));
    if (known?.ending) return;
    const same = { notBeforeMs: 0, attempt: 0 };
    if (!known) this.desired.set(name, wish({ deployment: name, host: `h${1 + this.random.below(2)}`, spec, revision: 1, incarnation: this.now, ...same }));
    else if (this.random.below(4) === 0) this.desired.set(name, { ...known, ending: true, ...same });
    else this.desired.set(name, { ...known, spec, revision: known.revision + 1, ...same });
  }

  decide(): void {
    const observed = [...this.hosts].flatMap(([name, { deployments, isAway }]) => (isAway ? [] : [{ host: name, deployments: [...deployments.values()] }]));
    const desired = [...this.desired.values()].map((one) => ({ ...one, isBusy: this.busy.has(one.deployment) }));
    const { orders, ended } = reconcile(desired, observed, this.now);
    for (const name of ended) this.desired.delete(name);
    for (const order of orders) {
      expect(this.busy.has(order.deployment), "one order at a time").toBe(false);
      const wanted = this.desired.get(order.deployment)!;
      if (order.kind === "undeploy") expect(wanted.ending, `${order.deployment} is wanted`).toBe(true);
      this.busy.set(order.deployment, order);
    }
  }

  /** `healthy`: nothing fails. */
  carryOut(healthy: boolean): void {
    const [name, order] = [...this.busy][this.random.below(Math.max(1, this.busy.size))] ?? [];
    if (!name || !order) return;
    this.busy.delete(name);
    const { deployments } = this.hosts.get(order.host)!;
    const fate = healthy ? 2 : this.random.below(4);
    if (fate > 0) {
      const before = deployments.get(name);
      if (order.kind === "undeploy") deployments.delete(name);
      if (order.kind === "deploy") deployments.set(name, status({ deployment: name, revision: order.revision, spec: order.spec }));
      if (order.kind === "swap" && before)
        deployments.set(name, {
          ...before,
          revision: order.revision,
          spec: { ...before.spec, chain: before.spec.chain.map((entry) => (entry.name === order.entry ? order.next : entry)) },
        });
    }
    const wanted = this.desired.get(name);
    if (wanted) this.desired.set(name, { ...wanted, attempt: wanted.attempt + 1, notBeforeMs: fate === 0 ? this.now + this.random.below(8) : 0 });
  }
}

test("whatever fails, hosts come to have what is wanted; nothing is ended that is, and no deployment has two orders", () => {
  for (let seed = SEED; seed < SEED + 60; seed++) {
    const world = new Simulation(seed);
    for (let step = 0; step < 300; step++) {
      world.now += 1;
      const what = world.random.below(10);
      if (what === 0) world.wish();
      else if (what === 1) for (const one of world.hosts.values()) one.isAway = world.random.below(3) === 0;
      // A controller that dies knows of no orders any more; the hosts may have carried them out.
      else if (what === 2 && world.random.below(5) === 0) {
        while (world.busy.size > 0) world.carryOut(false);
        for (const [name, one] of world.desired) world.desired.set(name, { ...one, attempt: 0, notBeforeMs: 0 });
      } else if (what < 6) world.decide();
      else world.carryOut(false);
    }
    for (const one of world.hosts.values()) one.isAway = false;
    for (let step = 0; step < 60; step++) {
      world.now += 10;
      world.decide();
      while (world.busy.size > 0) world.carryOut(true);
    }
    const has = [...world.hosts].flatMap(([name, { deployments }]) =>
      [...deployments.values()].map((one) => ({ host: name, deployment: one.deployment, revision: one.revision, spec: one.spec })),
    );
    const wants = [...world.desired.values()].map(({ host: on, deployment, revision, spec }) => ({ host: on, deployment, revision, spec }));
    const byName = (a: { deployment: string }, b: { deployment: string }): number => (a.deployment < b.deployment ? -1 : 1);
    expect(has.sort(byName), `seed ${seed}`).toEqual(wants.sort(byName));
  }
});
