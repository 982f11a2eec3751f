/** Each rule on a cluster written down by hand: what is decided, what is not, and what is said about it. */
import { describe, expect, test } from "vitest";
import { type Decision, decide, explanationText } from "./index.ts";
import { Written } from "./testing.ts";

const kinds = (decisions: readonly Decision[]): string[] => decisions.map(({ kind }) => kind);
const texts = (explanations: readonly Parameters<typeof explanationText>[0][]): string => explanations.map(explanationText).join("\n");

describe("nothing to do", () => {
  test("a group with a load as it should be stays as it is", () => {
    const world = new Written(1).add("a", { load: 0.6 }).add("b", { load: 0.55 });
    expect(world.run(600)).toEqual({ decisions: [], explanations: [] });
  });

  test("a group that is seen first is taken as it is, and what is not known is not idle", () => {
    const world = new Written(1).add("a", { silent: true }).add("b", { silent: true });
    const { decisions, explanations } = world.run(600);
    expect(decisions).toEqual([]);
    expect(explanations.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual(["silence a", "silence b"]);
  });

  test("the state is plain JSON, and what comes in is left as it is", () => {
    const world = new Written(1).add("a", { load: 0.9 }).add("b", { load: 0.1 });
    world.run(5);
    expect(JSON.parse(JSON.stringify(world.state))).toEqual(world.state);
    const [view, state] = [world.view(), world.state];
    const before = structuredClone({ view, state });
    decide(view, world.policy, world.now + 20_000, state);
    expect({ view, state }).toEqual(before);
  });
});

describe("a runtime that has too much", () => {
  test("gives the fewest flows that help to the coldest one, and it is said why", () => {
    const world = new Written(1).add("hot", { load: 0.9, flows: 900 }).add("warm", { load: 0.5 }).add("cold", { load: 0.3 });
    const { decisions, explanations } = world.run(12);
    expect(decisions).toHaveLength(1);
    expect(decisions[0]).toMatchObject({ kind: "move", from: "hot", to: "cold" });
    // From 0.9 to the goal of 0.6: a third of its flows, and the other one's room is as large.
    expect((decisions[0] as { count: number }).count).toBeGreaterThan(200);
    expect((decisions[0] as { count: number }).count).toBeLessThan(330);
    const [said] = explanations.filter(({ done }) => done.length > 0);
    expect(said).toMatchObject({ group: "g", rule: "hot_runtime", subject: "hot", done: [decisions[0]!.key], seen: { to: "cold", flows: 900 } });
    expect(said!.instead.length).toBeGreaterThan(0);
    expect(explanationText(said!)).toContain("hot: its load is too high: flows go to the coldest runtime; not more flows:");
  });

  test("moves known heavy flows, the fewest, and leaves the one that is too heavy for any other", () => {
    const heavyFlows = [{ flowId: "7", share: 0.7 }, ...Array.from({ length: 10 }, (_, i) => ({ flowId: String(10 + i), share: 0.03 }))];
    const world = new Written(1, { max: 2 }).add("hot", { load: 0.95, flows: 400, heavyFlows }).add("cold", { load: 0.45 });
    const { decisions } = world.run(6);
    expect(decisions).toHaveLength(1);
    const { flowIds, count } = decisions[0] as Extract<Decision, { kind: "move" }>;
    expect(flowIds).not.toContain("7");
    expect(flowIds).toEqual(heavyFlows.slice(1, 1 + count).map(({ flowId }) => flowId));
    // No more than the other one has room for.
    expect(count * 0.03 * 0.95).toBeLessThanOrEqual(0.675 - 0.45);
  });

  test("keeps a single flow: it would be as heavy elsewhere", () => {
    const world = new Written(1).add("hot", { load: 0.95, flows: 1 }).add("cold", { load: 0.3 });
    const { decisions, explanations } = world.run(60);
    expect(kinds(decisions)).toEqual([]);
    expect(texts(explanations)).toContain("not moving flows: it has a single flow");
  });

  test("gives nothing to runtimes on its own lcore, whose time is its own", () => {
    const world = new Written(1, { max: 2 }).add("hot", { load: 0.7, lcore: 1, shares: true }).add("beside", { load: 0.1, lcore: 1, shares: true });
    const { decisions, explanations } = world.run(30);
    expect(decisions).toEqual([]);
    expect(texts(explanations)).toContain("no other runtime that is free and on another lcore");
  });

  test("is asked ever less often while moves do not help", () => {
    const world = new Written(1, { max: 2 }).add("hot", { load: 0.95 }).add("cold", { load: 0.2 });
    const at: number[] = [];
    for (let i = 0; i < 300; i++) {
      const { decisions } = world.second();
      if (decisions.length > 0) at.push(i);
      world.end(decisions);
    }
    const gaps = at.slice(1).map((when, i) => when - at[i]!);
    expect(at.length).toBeLessThan(12);
    expect(gaps.at(-1)).toBeGreaterThan(8 * gaps[0]!);
  });

  test("is also one whose queue is full, whatever its load seems to be", () => {
    const world = new Written(1).add("hot", { load: 0.6, queued: 400 }).add("cold", { load: 0.3 });
    expect(world.run(4).decisions).toMatchObject([{ kind: "move", from: "hot", to: "cold" }]);
  });
});

describe("more and fewer runtimes", () => {
  test("grows when all have too much for a while, to as many as the load asks for", () => {
    const world = new Written(2).add("a", { load: 0.9 }).add("b", { load: 0.9, host: "h2" });
    const { decisions, explanations } = world.run(12);
    expect(decisions).toMatchObject([{ kind: "start", host: "h1" }]);
    expect(texts(explanations)).toContain("it may be a peak that passes");
    expect(texts(explanations)).toContain("the load is too high: 3 runtimes are wanted");
  });

  test("a peak that passes changes nothing", () => {
    const world = new Written(1).add("a", { load: 0.55 }).add("b", { load: 0.55 });
    world.run(20);
    for (const id of ["a", "b"]) world.get(id).load = 0.95;
    expect(world.run(2).decisions).toEqual([]);
    for (const id of ["a", "b"]) world.get(id).load = 0.55;
    expect(world.run(60).decisions).toEqual([]);
  });

  test("packets that find no room let it grow at once, by what they would take", () => {
    const world = new Written(1).add("a", { load: 1 }).add("b", { load: 1 });
    world.run(2);
    world.lost += 20_000_000;
    const { decisions, explanations } = world.run(1);
    expect(kinds(decisions)).toEqual(["start", "start"]);
    expect(texts(explanations)).toContain("packets find no room: 4 runtimes are wanted");
  });

  test("a vswitch that is silent no longer says that packets are lost", () => {
    const world = new Written(1).add("a", { load: 0.62 }).add("b", { load: 0.1 }).add("c", { load: 0.1 });
    world.run(5);
    world.lost += 1000;
    world.run(1);
    world.vswitchSilent = true;
    expect(world.state.groups["g"]!.overflow!.perSecond).toBe(1000);
    world.run(6);
    expect(world.state.groups["g"]!.overflow!.perSecond).toBe(0);
  });

  test("several that go at once do not go into each other", () => {
    const world = new Written(1, { shrink_step: 1 });
    for (const id of ["a", "b", "c", "d", "e", "f"]) world.add(id, { load: 0.05, flows: 10 });
    const { decisions } = world.run(125);
    const taking = decisions.flatMap((one) => (one.kind === "drain" ? [one.runtime, ...one.to] : []));
    expect(taking.length).toBeGreaterThan(2);
    expect(new Set(taking).size).toBe(taking.length);
  });

  test("shrinks after a while by the runtime with the fewest flows, and removes it when it is empty", () => {
    const world = new Written(1).add("a", { load: 0.2, flows: 500 }).add("b", { load: 0.2, flows: 20 }).add("c", { load: 0.2, flows: 300 });
    const { decisions } = world.run(130);
    expect(decisions).toMatchObject([{ kind: "drain", runtime: "b" }]);
    world.get("b").draining = true;
    world.get("b").flows = 0;
    world.end(decisions);
    expect(world.run(2).decisions).toMatchObject([{ kind: "remove", runtime: "b", force: false }]);
  });

  test("does not shrink while many are silent, nor by what it knows too little of", () => {
    const world = new Written(1).add("a", { load: 0.1 }).add("b", { load: 0.1 }).add("c", { load: 0.1 });
    world.run(20);
    world.get("c").silent = true;
    const { decisions, explanations } = world.run(600);
    expect(decisions).toEqual([]);
    expect(texts(explanations)).toContain("who is silent is not idle");
  });

  test("never drains the last one, nor below min", () => {
    const alone = new Written(1).add("a", { load: 0, flows: 0 });
    expect(alone.run(1000).decisions).toEqual([]);
    const two = new Written(1, { min: 2 }).add("a", { load: 0, flows: 0 }).add("b", { load: 0, flows: 0 });
    expect(two.run(1000).decisions).toEqual([]);
  });

  test("a runtime that is on its way out stays when it is needed again", () => {
    const world = new Written(1).add("a", { load: 0.84 }).add("b", { load: 0.84 }).add("c", { load: 0.05, draining: true, flows: 3 });
    expect(world.run(12).decisions).toMatchObject([{ kind: "undrain", runtime: "c" }]);
  });

  test("max, room and the tenant's quota are limits, and each is said once", () => {
    const limits: [Written, string][] = [
      [new Written(1, { max: 2 }), "max is reached"],
      [new Written(1), "no host has room"],
      [new Written(1, {}, { quotas: { t: 2 } }), "the tenant's quota is used up"],
    ];
    limits[1]![0].hosts[0]!.room = 2;
    for (const [world, limit] of limits) {
      const { decisions, explanations } = world.add("a", { load: 0.9 }).add("b", { load: 0.9 }).run(60);
      expect(decisions).toEqual([]);
      expect(texts(explanations).split(limit)).toHaveLength(2);
    }
  });

  test("a full vswitch is no reason for more runtimes behind it", () => {
    const world = new Written(1).add("a", { load: 0.74, queued: 0 }).add("b", { load: 0.74 });
    world.vswitchLoad = 1;
    world.run(10);
    world.get("a").load = 0.8;
    world.get("b").load = 0.69;
    const { decisions, explanations } = world.run(60);
    expect(decisions).toEqual([]);
    expect(texts(explanations)).toContain("the vswitch has no time left");
  });
});

describe("failures", () => {
  const world = (): Written => new Written(3).add("a", { host: "h1", load: 0.6 }).add("b", { host: "h2", load: 0.6 }).add("c", { host: "h3", load: 0.6 });

  test("what its supervisor has back in a moment is not replaced", () => {
    const cluster = world();
    cluster.run(5);
    cluster.get("b").isUp = false;
    expect(cluster.run(4).decisions).toEqual([]);
    cluster.get("b").isUp = true;
    expect(cluster.run(60).decisions).toEqual([]);
  });

  test("what stays dead is given up, and another one starts elsewhere", () => {
    const cluster = world();
    cluster.run(5);
    cluster.hosts[1]!.leased = false;
    cluster.get("b").silent = true;
    expect(cluster.run(5).decisions).toEqual([]);
    const { decisions } = cluster.run(2);
    expect(decisions).toMatchObject([
      { kind: "remove", runtime: "b", force: true },
      { kind: "start", host: "h1" },
    ]);
  });

  test("a silent host that keeps its lease is unknown: nothing of it is replaced, drained or given flows", () => {
    const cluster = world();
    cluster.run(5);
    cluster.get("b").silent = true;
    const { decisions, explanations } = cluster.run(600);
    expect(decisions).toEqual([]);
    expect(texts(explanations)).toContain("not taking it for idle");
  });

  test("when most hosts are gone it is the controller that is cut off", () => {
    const cluster = world();
    cluster.run(5);
    for (const i of [0, 1]) cluster.hosts[i]!.leased = false;
    const { decisions, explanations } = cluster.run(60);
    expect(decisions).toEqual([]);
    expect(texts(explanations)).toContain("rather the controller is cut off");
  });

  test("a runtime that never comes up is given up, and so is one of which nobody has heard", () => {
    const cluster = new Written(1, { min: 2 }).add("a", { load: 0.5 });
    const [start] = cluster.run(1).decisions;
    expect(start).toMatchObject({ kind: "start" });
    // Repeated under its key while nobody answers, and once it is too late under another one.
    const { decisions } = cluster.run(40);
    expect(decisions.filter(({ key }) => key === start!.key).length).toBeGreaterThan(1);
    expect(decisions.filter(({ key, kind }) => key !== start!.key && kind === "start").length).toBeGreaterThan(0);
    cluster.add("late", { phase: "starting" });
    expect(cluster.run(40).decisions).toContainEqual(expect.objectContaining({ kind: "remove", runtime: "late", force: true }));
  });
});

describe("replicas", () => {
  test("lie on other hosts than their owners", () => {
    const world = new Written(2, { replicas: 1, min: 4 });
    for (const [id, host] of [
      ["a", "h1"],
      ["b", "h1"],
      ["c", "h2"],
      ["d", "h2"],
    ] as const)
      world.add(id, { host, homes: id === "a" ? ["b"] : [] });
    const homes = Object.fromEntries(world.run(3).decisions.map((one) => (one.kind === "protect" ? [one.runtime, [...one.homes].sort()] : [one.kind, []])));
    expect(homes).toEqual({ a: ["c", "d"], b: ["c", "d"], c: ["a", "b"], d: ["a", "b"] });
  });

  test("stay where they are well, and leave only who died", () => {
    const world = new Written(3, { replicas: 1, min: 3, homes: 2 });
    world
      .add("a", { host: "h1", homes: ["b", "c"] })
      .add("b", { host: "h2", homes: ["a", "c"] })
      .add("c", { host: "h3", homes: ["a", "b"] })
      .add("d", { host: "h3", homes: ["a", "b"] });
    expect(world.run(20).decisions).toEqual([]);
    world.get("b").phase = "gone";
    const { decisions } = world.run(12);
    expect(decisions).toContainEqual(expect.objectContaining({ kind: "protect", runtime: "a", homes: ["c", "d"] }));
    expect(decisions.every((one) => one.kind !== "protect" || one.homes.includes("a") || one.runtime === "a")).toBe(true);
  });

  test("are spread: no runtime keeps those of many more owners than another", () => {
    const world = new Written(4, { replicas: 1, min: 16, max: 16, homes: 2 });
    for (let i = 0; i < 16; i++) world.add(`r${i}`, { host: `h${1 + (i % 4)}`, homes: [] });
    const homes = world.run(2).decisions.flatMap((one) => (one.kind === "protect" ? one.homes : []));
    const counts = [...world.runtimes.keys()].map((id) => homes.filter((home) => home === id).length);
    expect(homes).toHaveLength(32);
    expect(Math.max(...counts)).toBeLessThanOrEqual(3);
  });

  test("stay with a runtime that is silent, or on its way back", () => {
    const world = new Written(2, { replicas: 1, min: 3 })
      .add("a", { homes: ["b", "c"] })
      .add("b", { host: "h2", homes: ["a"] })
      .add("c", { host: "h2", homes: ["a"] });
    world.run(5);
    world.get("b").silent = true;
    expect(world.run(60).decisions).toEqual([]);
    world.get("c").isUp = false;
    expect(world.run(4).decisions).toEqual([]);
  });

  test("on one host alone: beside the owner, and it is said", () => {
    const world = new Written(1, { replicas: 1, min: 2 }).add("a", { homes: [] }).add("b", { homes: [] });
    const { decisions, explanations } = world.run(2);
    expect(decisions).toMatchObject([{ runtime: "a", homes: ["b"] }, { runtime: "b", homes: ["a"] }]); // prettier-ignore
    expect(texts(explanations)).toContain("not another host: no other one has a runtime of the group");
  });

  test("a runtime starts with homes, so that its first flow is protected", () => {
    const world = new Written(2, { replicas: 1, min: 3 }).add("a", { host: "h1", homes: ["b"] }).add("b", { host: "h2", homes: ["a"] });
    const starts = world.run(3).decisions.filter((one) => one.kind === "start");
    expect(starts).toMatchObject([{ host: "h1", homes: ["b"] }]);
  });

  test("an empty runtime stays until no replicas lie there", () => {
    const world = new Written(2, { replicas: 1, max: 2 })
      .add("a", { homes: ["c"] })
      .add("b", { host: "h2", homes: ["a"] })
      .add("c", { host: "h2", draining: true, flows: 0 });
    const { decisions, explanations } = world.run(3);
    expect(decisions).toMatchObject([{ kind: "protect", runtime: "a", homes: ["b"] }]);
    expect(texts(explanations)).toContain("not removing it: replicas of others' flows lie in it");
    world.get("a").homes = ["b"];
    world.end(decisions);
    expect(kinds(world.run(2).decisions)).toEqual(["remove"]);
  });
});

describe("operations", () => {
  const hot = (): Written => new Written(1, { max: 3 }).add("a", { load: 0.95 }).add("b", { load: 0.9 }).add("c", { load: 0.1 });

  test("no runtime takes part in two of them, and nothing is decided twice", () => {
    const world = hot();
    const { decisions } = world.run(9);
    expect(decisions).toMatchObject([{ kind: "move", from: "a", to: "c" }]);
    world.operations = [{ key: decisions[0]!.key, group: "g", runtimes: ["a", "c"] }];
    expect(world.run(60).decisions).toEqual([]);
    // The same view again, and the same state: the same answer.
    const again = [decide(world.view(), world.policy, world.now, world.state), decide(world.view(), world.policy, world.now, world.state)];
    expect(again[0]).toEqual(again[1]);
  });

  test("one of which nothing is heard is repeated under its key, one that failed is not repeated at once", () => {
    const world = hot();
    const [move] = world.run(9).decisions;
    expect(new Set(world.run(30).decisions.map(({ key }) => key))).toEqual(new Set([move!.key]));
    world.end([move!], false);
    const { decisions, explanations } = world.run(5);
    expect(decisions.filter((one) => one.kind === "move" && one.from === "a")).toEqual([]);
    expect(texts(explanations)).toContain("it did not come to be: timeout");
  });

  test("a controller that has forgotten everything leaves alone what is under way", () => {
    const world = hot();
    world.operations = [{ key: "of before", group: "g", runtimes: ["a", "b", "c"] }];
    expect(world.run(60).decisions).toEqual([]);
  });

  test("the cluster's bound on operations holds", () => {
    const world = new Written(1, { min: 6 }, { operations_max: 2 }).add("a", { load: 0.5 });
    const { decisions, explanations } = world.run(1);
    expect(kinds(decisions)).toEqual(["start", "start"]);
    expect(texts(explanations)).toContain("as many operations as the policy allows");
  });
});

test("a host that is to be emptied: others start elsewhere, then its runtimes are drained and removed", () => {
  const world = new Written(2).add("a", { load: 0.5, host: "h1" }).add("b", { load: 0.5, host: "h1" });
  world.run(5);
  world.hosts[0]!.cordoned = true;
  const starts = world.run(1).decisions;
  expect(starts).toMatchObject([{ kind: "start", host: "h2" }, { kind: "start", host: "h2" }]); // prettier-ignore
  world.end(starts);
  for (const start of starts) if (start.kind === "start") world.add(start.runtime, { host: "h2", load: 0, flows: 0 });
  const { decisions } = world.run(5);
  expect(decisions.map((one) => (one.kind === "drain" ? `${one.runtime} ${one.to.length}` : one.kind))).toEqual(["a 1", "b 1"]);
});

describe("hosts", () => {
  const change = (world: Written, id: string, more: object): void =>
    void (world.twist = ({ groups, ...view }) => ({
      ...view,
      groups: groups.map((group) => ({ ...group, runtimes: group.runtimes.map((one) => (one.runtime === id ? { ...one, ...more } : one)) })),
    }));

  test("what works goes on when its host has lost its lease, is not idle, and is dead when its vswitch says so", () => {
    const world = new Written(2, { min: 2, shrink_after_ms: 5000 }).add("a").add("b", { host: "h2" });
    world.run(5);
    world.hosts[1]!.leased = false;
    change(world, "b", { isUp: true, unheard: true });
    expect(world.run(600).decisions).toEqual([]);
    change(world, "b", { isUp: false, unheard: true });
    expect(world.run(8).decisions).toMatchObject([{ kind: "remove", runtime: "b", force: true }, { kind: "start", host: "h1" }]); // prettier-ignore
  });

  test("nothing starts on one that nobody hears of, though it has its lease", () => {
    const world = new Written(2, { min: 2, replicas: 1 }).add("a", { homes: [] });
    world.hosts[1]!.connected = false;
    expect(world.run(1).decisions).toMatchObject([{ kind: "start", host: "h1" }]);
  });

  test("with replicas they have as many runtimes as each other: one starts where there are none, then one leaves the fullest", () => {
    const world = new Written(2, { min: 2, max: 2, replicas: 1 }).add("a", { homes: ["b"], flows: 10 }).add("b", { homes: ["a"], flows: 20 });
    const starts = world.run(1).decisions;
    expect(starts).toMatchObject([{ kind: "start", host: "h2" }]);
    world.end(starts);
    world.add("r1", { host: "h2", load: 0, flows: 0, homes: ["a", "b"] });
    for (const id of ["a", "b"]) world.get(id).homes = ["r1"];
    expect(world.run(5).decisions).toMatchObject([{ kind: "drain", runtime: "a", to: ["r1"] }]);
  });

  test("one that cannot be started there is not tried again and again", () => {
    const world = new Written(2, { min: 2, replicas: 1 }).add("a", { homes: ["b"] }).add("b", { homes: ["a"] });
    const starts = world.run(1).decisions;
    world.end(starts, false);
    expect(world.run(120).decisions).toEqual([]);
  });

  test("what is on one that is none of the group's any more leaves it", () => {
    const world = new Written(2, { min: 2 }).add("a").add("b", { host: "h2" });
    world.run(5);
    world.hosts[1]!.room = 0;
    change(world, "b", { leaving: true });
    expect(world.run(1).decisions).toMatchObject([{ kind: "start", host: "h1" }]);
  });

  test("where nothing else can be started, what is on one that is to be emptied goes to those that stay", () => {
    const world = new Written(2, { min: 2 }).add("a", { load: 0.2 }).add("b", { host: "h2", load: 0.2 });
    world.run(5);
    world.hosts[0]!.room = 1;
    world.hosts[1]!.cordoned = true;
    const { decisions, explanations } = world.run(3);
    expect(decisions).toMatchObject([{ kind: "drain", runtime: "b", to: ["a"] }]);
    expect(texts(explanations)).toContain("not starting one: no host has room");
  });
});

test("what is drained by hand is neither used again nor removed, and another one takes its place", () => {
  const world = new Written(1, { min: 2, max: 4 }).add("a").add("b", { draining: true, flows: 0 });
  world.twist = ({ groups, ...view }) => ({
    ...view,
    groups: groups.map((group) => ({ ...group, runtimes: group.runtimes.map((one) => ({ ...one, held: one.runtime === "b" })) })),
  });
  const { decisions, explanations } = world.run(3);
  expect(kinds(decisions)).toEqual(["start"]);
  expect(texts(explanations)).toContain("somebody has drained it by hand");
});

test("a group that is bound to some hosts starts on no other one", () => {
  const world = new Written(3, { min: 3, replicas: 1 }).add("a", { homes: ["b"] }).add("b", { homes: ["a"], host: "h2" });
  world.hosts[1]!.room = 1;
  world.twist = ({ groups, ...view }) => ({ ...view, groups: groups.map((group) => ({ ...group, hosts: ["h1", "h2"] })) });
  expect(world.run(3).decisions).toMatchObject([{ kind: "start", host: "h1" }]);
});

describe("reports that cannot be true", () => {
  const bad: [string, (status: { busyNs: bigint; flowsOpen: number; queued: number; received: bigint }) => void][] = [
    ["no number", (status) => (status.flowsOpen = Number.NaN)],
    ["negative", (status) => (status.queued = -1)],
    ["back", (status) => (status.busyNs = 5n)],
    ["more work than time", (status) => (status.busyNs += 10n ** 12n)],
  ];
  test.each(bad)("%s: refused, said once, and nothing is done because of it", (_, spoil) => {
    const world = new Written(1).add("a", { load: 0.5 }).add("b", { load: 0.6 });
    world.run(10);
    world.twist = (view) => {
      const copy = structuredClone(view);
      const status = copy.groups[0]!.runtimes[0]!.report!.status;
      if (world.now % 3000 === 0) spoil(status);
      return copy;
    };
    const { decisions, explanations } = world.run(60);
    expect(decisions).toEqual([]);
    expect(explanations.some(({ rule, subject }) => rule === "report" && subject === "a")).toBe(true);
  });

  test("the same report again, and one that was overtaken, are no new ones", () => {
    const world = new Written(1).add("a", { load: 0.6 }).add("b", { load: 0.55 });
    const old: Parameters<typeof world.reports.set>[1][] = [];
    for (let i = 0; i < 60; i++) {
      world.second();
      old.push(structuredClone(world.reports.get("a")));
    }
    world.get("a").silent = true;
    world.reports.set("a", old.at(-3));
    expect(world.run(3).decisions).toEqual([]);
    expect(world.state.groups["g"]!.runtimes["a"]!.report!.load).toBeCloseTo(0.6, 5);
  });
});
