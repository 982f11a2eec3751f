import { describe, expect, test } from "vitest";
import { type Durable, type Effect, TERM_MAX, VSWITCH } from "./membership_events.ts";
import { Membership, backoffMs } from "./membership.ts";
import { World, nameOf } from "./testing.ts";

const SEEDS = Number(process.env["NF_MEMBERSHIP_SEEDS"] ?? 300);
const FIRST_SEED = Number(process.env["NF_MEMBERSHIP_SEED"] ?? Date.now() % 1_000_000);

/** Everybody lives and knows everybody, and the vswitch gives flows to all that are not draining. */
function expectWhole(world: World, runtimes: readonly number[], draining: readonly number[] = []): void {
  expect(world.membership.isWhole).toBe(true);
  expect([...world.membership.runtimes].sort()).toEqual([...runtimes].sort());
  expect(world.processes.size).toBe(runtimes.length + 1);
  const vswitch = world.vswitch!;
  expect([...vswitch.knows.keys()].sort()).toEqual([...runtimes].sort());
  for (const member of runtimes) {
    const runtime = world.runtime(member)!;
    expect(vswitch.knows.get(member)).toEqual({ incarnation: runtime.incarnation, isUp: true, link: "up" });
    expect(vswitch.excluded.get(member) ?? false).toBe(draining.includes(member));
    expect(runtime.vswitch).toBe(vswitch.incarnation);
    for (const other of runtimes) if (other !== member) expect(runtime.knows.get(other)?.incarnation).toBe(world.runtime(other)!.incarnation);
    expect(runtime.knows.size).toBe(runtimes.length - 1);
    expect(runtime.homes).toEqual(world.membership.homesOf(member));
  }
  expect(world.durable.ended).toEqual([]);
}

test("a start: the vswitch, its links, the runtimes, and only then flows", () => {
  const world = new World(1, [1, 2, 3]);
  expect([...world.processes.keys()]).toEqual(["0.1"]);
  world.settle();
  expectWhole(world, [1, 2, 3]);
  expect(world.membership.of(2)).toEqual({ incarnation: 3, isUp: true, isDraining: false, isExcluded: false, restarts: 0 });
  expect(world.vswitch!.term).toBe(1);
});

test("the files of a life go when its books are on disk, and not before", () => {
  const { membership } = new World(1, [1]);
  const life = { member: 1, incarnation: 7 };
  membership.handle({ type: "exited", ...life }, 1);
  // An effect is carried out when the state that it comes with is on disk.
  expect(membership.handle({ type: "collected", life }, 2)).toContainEqual({ type: "forget", life });
});

test("a vswitch that could not be spoken to for a while is told what it was not heard to know", () => {
  const world = new World(1, [1]);
  world.settle();
  const { membership } = world;
  const { incarnation } = world.runtime(1)!;
  const link = expect.objectContaining({ type: "tell", command: expect.objectContaining({ do: "link", member: 2 }) as unknown }) as Effect;
  expect(membership.handle({ type: "add", member: 2 }, 1)).toContainEqual(link);
  // Its answer is lost with the connection.
  const life = { member: VSWITCH, incarnation: world.vswitch!.incarnation };
  expect(membership.handle({ type: "found", life, knows: [{ member: 1, incarnation, isUp: true, link: "up" }] }, 2)).not.toEqual([]);
  expect(membership.of(1)).toMatchObject({ incarnation, isUp: true });
  // Who is excluded is told anew before anything else.
  const command = { do: "exclude", member: 1, on: false } as const;
  expect(membership.handle({ type: "told", to: life, command, isOk: true }, 3)).toContainEqual(link);
});

test("a runtime that dies is turned away from by the vswitch first, then by the others, and comes back as another", () => {
  const world = new World(2, [1, 2]);
  world.settle();
  const dead = world.runtime(1)!;
  world.log.length = 0;
  world.kill(dead);
  world.settle();
  expectWhole(world, [1, 2]);
  expect(world.runtime(1)!.incarnation).toBe(4);
  expect(world.membership.of(1)!.restarts).toBe(1);
  expect(world.collected).toEqual([nameOf(dead)]);
  const at = (what: string): number => world.log.findIndex((line) => line.includes(what));
  const down = at('"tell","to":{"member":2,"incarnation":3},"command":{"do":"member_down","member":1');
  expect(down).toBeGreaterThan(0);
  expect(at('"type":"spawn"')).toBeGreaterThan(down);
});

test("the vswitch that dies comes back with a higher term, and the runtimes stay what they are", () => {
  const world = new World(3, [1, 2]);
  world.settle();
  const before = [1, 2].map((member) => world.runtime(member)!.incarnation);
  world.kill(world.vswitch!);
  world.settle();
  expectWhole(world, [1, 2]);
  expect([1, 2].map((member) => world.runtime(member)!.incarnation)).toEqual(before);
  expect(world.vswitch!.term).toBe(2);
});

test("a vswitch after another knows whose flows it has to hear of, and is told of those who die before they have told it", () => {
  const world = new World(8, [1, 2]);
  world.settle();
  const [one, two] = [world.runtime(1)!, world.runtime(2)!];
  world.log.length = 0;
  world.kill(world.vswitch!);
  while (!world.vswitch) world.step();
  expect([...world.vswitch.knows].map(([member, { incarnation }]) => [member, incarnation])).toEqual([
    [1, one.incarnation],
    [2, two.incarnation],
  ]);
  world.kill(one);
  world.restartSupervisor();
  world.settle();
  expectWhole(world, [1, 2]);
  expect(world.runtime(2)!.incarnation).toBe(two.incarnation);
  const told = world.log.filter((line) => line.includes(`"command":{"do":"member_down","member":1,"incarnation":${one.incarnation}}`));
  expect(told.some((line) => line.includes('"to":{"member":0'))).toBe(true);
});

test("the vswitch starts 255 times, and not once more", () => {
  const world = new World(4, [1]);
  for (let i = 1; i < TERM_MAX; i++) {
    world.settle();
    world.kill(world.vswitch!);
  }
  world.settle();
  expect(world.membership.isExhausted).toBe(false);
  world.kill(world.vswitch!);
  world.settle();
  expect(world.membership.isExhausted).toBe(true);
});

test("a vswitch that never works costs no term, however often it is tried", () => {
  const membership = Membership.create([1]);
  let effects = membership.handle({ type: "time" }, 0);
  let nowMs = 0;
  for (let i = 0; i < 2 * TERM_MAX; i++) {
    const { life, term } = effects.find(({ type }) => type === "spawn") as Effect & { type: "spawn" };
    expect(term).toBe(1);
    expect(life.incarnation).toBe(i + 1);
    effects = membership.handle({ type: "exited", ...life }, nowMs);
    const wake = effects.find(({ type }) => type === "wake") as (Effect & { type: "wake" }) | undefined;
    if (wake) effects = membership.handle({ type: "time" }, (nowMs = wake.atMs));
  }
  expect(membership.isExhausted).toBe(false);
});

test("starts wait longer and longer, but not beyond a bound", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 1000].map(backoffMs)).toEqual([0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  const membership = Membership.create([1]);
  let [spawned] = membership.handle({ type: "time" }, 0) as [Effect & { type: "spawn" }];
  const waits: number[] = [];
  for (let i = 0, nowMs = 0; i < 5; i++) {
    const effects = membership.handle({ type: "exited", ...spawned.life }, nowMs);
    const wake = effects.find(({ type }) => type === "wake") as (Effect & { type: "wake" }) | undefined;
    waits.push((wake?.atMs ?? nowMs) - nowMs);
    nowMs = wake?.atMs ?? nowMs;
    const again = wake ? membership.handle({ type: "time" }, nowMs) : effects;
    spawned = again.find(({ type }) => type === "spawn") as Effect & { type: "spawn" };
  }
  expect(waits).toEqual([0, 100, 200, 400, 800]);
});

test("a runtime that the vswitch refuses is tried again, less and less often", () => {
  const membership = Membership.create([1]);
  membership.handle({ type: "time" }, 0);
  let nowMs = 0;
  let effects = membership.handle({ type: "ready", member: VSWITCH, incarnation: 1 }, nowMs);
  const asked: number[] = [];
  for (let i = 0; i < 200 && asked.length < 4; i++) {
    const tell = effects.find((effect) => effect.type === "tell") as (Effect & { type: "tell" }) | undefined;
    const wake = effects.find((effect) => effect.type === "wake") as (Effect & { type: "wake" }) | undefined;
    if (tell) {
      const { to, command } = tell;
      if (command.do === "link") asked.push(nowMs);
      effects = membership.handle({ type: "told", to, command, isOk: command.do !== "link" }, nowMs);
    } else {
      nowMs = wake!.atMs;
      effects = membership.handle({ type: "time" }, nowMs);
    }
  }
  expect(asked).toEqual([0, 0, 100, 300]);
});

test("removed: no flows, nobody knows it, and only then it ends; draining is kept over a death", () => {
  const world = new World(5, [1, 2, 3]);
  world.settle();
  world.handle({ type: "draining", member: 2, on: true });
  world.settle();
  expectWhole(world, [1, 2, 3], [2]);
  world.kill(world.runtime(2)!);
  world.settle();
  expectWhole(world, [1, 2, 3], [2]);
  world.handle({ type: "remove", member: 2 });
  world.settle();
  expectWhole(world, [1, 3]);
  world.handle({ type: "add", member: 2 });
  world.settle();
  expectWhole(world, [1, 2, 3]);
});

test("where replicas are to be: told at once, to each next life from its start, and by the next supervisor only to whom it was not told", () => {
  const world = new World(9, [1, 2, 3]);
  world.settle();
  world.handle({ type: "homes", member: 1, members: [3, 2, 3] });
  expect(world.membership.lacksHomes(1)).toBe(true);
  world.settle();
  expect(world.membership.lacksHomes(1)).toBe(false);
  expect(world.runtime(1)!.homes).toEqual([2, 3]);
  world.kill(world.runtime(1)!);
  while (world.runtime(1) === undefined) world.step();
  expect(world.runtime(1)!.homes).toEqual([2, 3]);
  world.settle();
  world.log.length = 0;
  world.restartSupervisor();
  world.settle();
  expectWhole(world, [1, 2, 3]);
  expect(world.log.filter((line) => line.includes('"homes"'))).toEqual([]);
  expect(world.membership.homesOf(1)).toEqual([2, 3]);
  // The order is on disk, and the supervisor dies before it is carried out.
  world.durable.members[1]!.homes = [];
  world.restartSupervisor();
  world.settle();
  expect(world.runtime(1)!.homes).toEqual([]);
});

test("a runtime that is removed is nobody's place of replicas any more, and its number's next runtime was never chosen", () => {
  const world = new World(10, [1, 2, 3]);
  world.settle();
  world.handle({ type: "homes", member: 1, members: [2] });
  world.handle({ type: "homes", member: 3, members: [1, 2] });
  world.settle();
  world.handle({ type: "remove", member: 2 });
  world.settle();
  expectWhole(world, [1, 3]);
  expect([1, 3].map((member) => world.runtime(member)!.homes)).toEqual([[], [1]]);
  world.handle({ type: "add", member: 2 });
  world.settle();
  expectWhole(world, [1, 2, 3]);
  expect(world.membership.homesOf(1)).toEqual([]);
});

test("removed while its machine cannot be reached: turned away from at once, its number is kept, and it is ended whenever that is possible", () => {
  const world = new World(11, [1, 2, 3]);
  world.settle();
  const far = world.runtime(3)!;
  world.cut(far);
  world.handle({ type: "remove", member: 3 });
  world.settle();
  expect(world.membership.isGivenUp(3)).toBe(false);
  world.handle({ type: "hung", member: 3, incarnation: far.incarnation });
  world.settle();
  expect(world.membership.isGivenUp(3)).toBe(true);
  expect(world.membership.runtimes).toEqual([1, 2]);
  expect(world.membership.numbers).toEqual([1, 2, 3]);
  expect(world.vswitch!.knows.has(3)).toBe(false);
  for (const member of [1, 2]) expect(world.runtime(member)!.knows.has(3)).toBe(false);
  world.restartSupervisor();
  world.settle();
  expect(world.runtime(3)).toBe(far);
  expect(world.membership.isGivenUp(3)).toBe(true);
  world.reconnect();
  world.settle();
  expectWhole(world, [1, 2]);
  expect(world.membership.numbers).toEqual([1, 2]);
  expect(world.collected).toContain(nameOf(far));
});

test("a stop: the vswitch first, while the runtimes still work; nothing is started again", () => {
  const world = new World(6, [1, 2]);
  world.settle();
  world.log.length = 0;
  world.handle({ type: "stop", drain: true });
  world.settle();
  expect(world.processes.size).toBe(0);
  expect(world.membership.hasStopped).toBe(true);
  const stops = world.log.filter((line) => line.includes('"command":{"do":"stop"') && line.startsWith("  ")).map((line) => /"member":(\d)/.exec(line)![1]);
  expect(stops).toEqual(["0", "1", "2"]);
  expect(world.membership.durable().members.every(({ isAlive }) => !isAlive)).toBe(true);
});

test("a runtime on a machine that cannot be reached: it goes on, is told of what it has missed, and once turned away from comes back only as another", () => {
  const world = new World(8, [1, 2, 3]);
  world.settle();
  const far = world.runtime(3)!;
  world.cut(far);
  world.kill(world.runtime(1)!);
  world.settle();
  // The dead one comes back when the far one has been told, and not before.
  expect(world.runtime(1)).toBeUndefined();
  expect(world.membership.of(3)).toMatchObject({ incarnation: far.incarnation, isUp: true });
  world.reconnect();
  world.settle();
  expectWhole(world, [1, 2, 3]);
  expect(world.runtime(3)).toBe(far);

  world.cut(far);
  world.suspect(3);
  world.settle();
  expect(world.membership.of(3)).toMatchObject({ incarnation: far.incarnation, isUp: false });
  // Not even the next supervisor, who finds it alive, believes it.
  world.restartSupervisor();
  world.settle();
  expect(world.durable.members.find(({ member }) => member === 3)).toMatchObject({ isAlive: true, isFenced: true });
  expect(world.runtime(3)).toBe(far);
  expect(world.vswitch!.knows.has(3)).toBe(false);
  world.reconnect();
  world.settle();
  expectWhole(world, [1, 2, 3]);
  expect(world.runtime(3)!.incarnation).toBeGreaterThan(far.incarnation);
  expect(world.collected).toContain(nameOf(far));
});

describe("whatever happens", () => {
  console.log(`seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}; NF_MEMBERSHIP_SEED=<n> NF_MEMBERSHIP_SEEDS=1 repeats one`);

  test(`deaths, hangs, suspicions, orders and restarts of the supervisor: in the end everybody lives (${SEEDS} seeds)`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const world = new World(seed, [1, 2, 3]);
      const wanted = new Map<number, boolean>([1, 2, 3].map((member) => [member, false]));
      try {
        for (let i = 0; i < 300; i++) oneThing(world, wanted);
        world.reconnect();
        for (const process of [...world.processes.values()]) if (process.isHung) world.kill(process);
        world.settle();
        const draining = [...wanted].filter(([, on]) => on).map(([member]) => member);
        expectWhole(world, [...wanted.keys()], draining);
        expect(new Set(world.collected).size, "each life is counted once").toBe(world.collected.length);
        world.handle({ type: "stop", drain: world.random.below(2) === 0 });
        for (let i = world.random.below(5); i > 0; i--) world.step();
        if (world.random.below(3) === 0) world.handle({ type: "stop", drain: false });
        world.settle();
        expect(world.processes.size).toBe(0);
        expect(world.membership.hasStopped).toBe(true);
      } catch (error) {
        console.log(`seed ${seed}\n${world.log.slice(-60).join("\n")}`);
        throw error;
      }
    }
  });

  function oneThing(world: World, wanted: Map<number, boolean>): void {
    const { random } = world;
    const some = <T>(list: readonly T[]): T | undefined => list[random.below(Math.max(1, list.length))];
    const process = some([...world.processes.values()]);
    const member = some([...wanted.keys()])!;
    switch (random.below(40)) {
      case 0:
      case 1:
        if (process) world.kill(process);
        return;
      case 2:
        if (process?.isReady) process.isHung = true;
        return;
      case 3:
        if (process?.isHung) world.handle({ type: "hung", member: process.member, incarnation: process.incarnation });
        return;
      case 4:
        world.suspect(member);
        return;
      case 5:
        wanted.set(member, random.below(2) === 0);
        world.handle({ type: "draining", member, on: wanted.get(member)! });
        return;
      case 6:
        if (wanted.size < 2) return;
        wanted.delete(member);
        world.handle({ type: "remove", member });
        return;
      case 7: {
        const next = 1 + random.below(5);
        if (world.membership.of(next)) return;
        wanted.set(next, false);
        world.handle({ type: "add", member: next });
        return;
      }
      case 8:
        if (random.below(3) === 0) world.restartSupervisor();
        return;
      case 9:
        world.nowMs += random.below(3000);
        return;
      case 10:
        if (process && process.member !== VSWITCH && random.below(2) === 0) world.cut(process);
        return;
      case 11:
        world.reconnect();
        return;
      case 12: {
        const others = [...wanted.keys()].filter(() => random.below(2) === 0);
        world.handle({ type: "homes", member, members: others.filter((other) => other !== member) });
        return;
      }
      case 13: {
        // By force: also where nobody can be reached.
        if (wanted.size < 2) return;
        wanted.delete(member);
        const incarnation = world.membership.of(member)?.incarnation;
        world.handle({ type: "remove", member });
        if (incarnation !== undefined) world.handle({ type: "hung", member, incarnation });
        return;
      }
      default:
        world.step();
    }
  }
});

test("what is on disk is what a supervisor starts from: plain JSON, and no more", () => {
  const world = new World(7, [1, 2]);
  world.settle();
  const durable: Durable = world.membership.durable();
  expect(JSON.parse(JSON.stringify(durable))).toEqual(durable);
  expect(durable).toEqual({
    term: 1,
    lastIncarnation: 3,
    members: [
      { member: 0, incarnation: 1, isAlive: true, isFenced: false, lives: 1, isDraining: false, isRemoved: false, homes: [] },
      { member: 1, incarnation: 2, isAlive: true, isFenced: false, lives: 1, isDraining: false, isRemoved: false, homes: [] },
      { member: 2, incarnation: 3, isAlive: true, isFenced: false, lives: 1, isDraining: false, isRemoved: false, homes: [] },
    ],
    ended: [],
  });
});
