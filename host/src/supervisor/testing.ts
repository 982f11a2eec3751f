/** For tests only: a tenant's processes as Membership sees them, without processes. They say no to whatever breaks the order that nfactord's README names. */
import { Random } from "@nfactor/sdk/test";
import { Membership } from "./membership.ts";
import { type Command, type Durable, type Effect, type Found, type Life, type MembershipEvent, VSWITCH } from "./membership_events.ts";

interface FakeProcess extends Life {
  term: number;
  isReady: boolean;
  /** Of the vswitch: whom it has a link for; of a runtime: whom it knows. */
  knows: Map<number, { incarnation: number; isUp: boolean; link: "none" | "waiting" | "up" }>;
  excluded: Map<number, boolean>;
  /** Life of the vswitch that the link of a runtime leads to. */
  vswitch: number;
  /** Of a runtime: where its replicas are to be. */
  homes: readonly number[];
  isHung: boolean;
  /** The supervisor cannot reach its machine: nothing is said or heard, and no kill gets there. Its link is another matter. */
  isCut: boolean;
  /** What has to wait for that. */
  isToDie: boolean;
}

type Happening = { about: string; run: () => MembershipEvent | undefined };

export class World {
  readonly random: Random;
  readonly processes = new Map<string, FakeProcess>();
  readonly log: string[] = [];
  membership: Membership;
  /** As it is on disk. */
  durable: Durable;
  nowMs = 0;
  collected: string[] = [];
  /** One more than that of any vswitch that has worked. */
  #leastTerm = 1;
  #spawned = new Set<number>();
  /** Lives of vswitch and runtime whose link was up at some time. */
  #linked = new Set<string>();
  /** What is under way, by process: its answers and signs come in order. */
  #queues = new Map<string, Happening[]>();
  #wakeAtMs: number | undefined;
  /** Processes that have died where nobody could see it. */
  readonly #unseen = new Map<string, FakeProcess>();

  constructor(seed: number, runtimes: readonly number[]) {
    this.random = new Random(seed);
    this.membership = Membership.create(runtimes);
    this.durable = this.membership.durable();
    this.handle({ type: "time" });
  }

  handle(event: MembershipEvent): void {
    this.log.push(JSON.stringify(event));
    this.#carryOut(this.membership.handle(event, this.nowMs));
  }

  /** The supervisor is killed, and another one finds what is there. Answers that were under way are lost, what was said is done. */
  restartSupervisor(): void {
    this.log.push("supervisor restarts");
    const found: Found[] = [];
    this.#queues.clear();
    for (const process of this.processes.values()) {
      process.isReady = true;
      if (process.member === VSWITCH) this.#leastTerm = process.term + 1;
      if (process.isCut) found.push({ life: { member: process.member, incarnation: process.incarnation }, knows: undefined });
      else if (process.isHung) this.processes.delete(nameOf(process));
      else
        found.push({
          life: { member: process.member, incarnation: process.incarnation },
          homes: [...process.homes],
          knows: [
            ...[...process.knows].map(([member, one]) => ({ member, ...one })),
            ...(process.member === VSWITCH ? [] : [{ member: VSWITCH, incarnation: process.vswitch, isUp: true, link: "up" as const }]),
          ],
        });
    }
    for (const { member, incarnation } of this.#unseen.values()) found.push({ life: { member, incarnation }, knows: undefined });
    this.#wakeAtMs = undefined;
    // An end of a link is seen whoever is told of it.
    const vswitch = this.vswitch;
    if (vswitch)
      for (const [member, one] of vswitch.knows) {
        one.link = this.#isLinked(vswitch, { member, ...one }) ? "up" : "waiting";
        if (one.link === "up") this.#linked.add(`${vswitch.incarnation} ${one.incarnation}`);
      }
    for (const one of found.filter(({ life }) => life.member === VSWITCH)) one.knows = [...vswitch!.knows].map(([member, it]) => ({ member, ...it }));
    const restored = Membership.restore(JSON.parse(JSON.stringify(this.durable)) as Durable, found, this.nowMs);
    this.membership = restored.membership;
    this.#carryOut(restored.effects);
  }

  get vswitch(): FakeProcess | undefined {
    return [...this.processes.values()].find(({ member }) => member === VSWITCH);
  }
  runtime(member: number): FakeProcess | undefined {
    return [...this.processes.values()].find((one) => one.member === member);
  }

  /** One thing that is under way happens; false when there is none. */
  step(): boolean {
    const busy = [...this.#queues].filter(([, queue]) => queue.length > 0);
    if (busy.length === 0) {
      if (this.#wakeAtMs === undefined) return false;
      this.nowMs = Math.max(this.nowMs, this.#wakeAtMs);
      this.#wakeAtMs = undefined;
      this.handle({ type: "time" });
      return true;
    }
    const [, queue] = busy[this.random.below(busy.length)]!;
    const happening = queue.shift()!;
    const event = happening.run();
    if (event) this.handle(event);
    return true;
  }

  /** Until nothing is under way. */
  settle(stepsMax = 100_000): void {
    for (let i = 0; this.step(); i++) if (i > stepsMax) throw new Error("it never comes to rest");
  }

  /** `kill -9`: seen sooner or later, after what it has said before. */
  kill(process: FakeProcess): void {
    this.log.push(`dies: ${nameOf(process)}`);
    this.processes.delete(nameOf(process));
    const { member, incarnation } = process;
    const queue = this.#queueOf(process);
    for (let i = queue.length - 1; i >= 0; i--) if (queue[i]!.about === "told" || queue[i]!.about === "ready") queue.splice(i, 1);
    if (process.isCut) this.#unseen.set(nameOf(process), process);
    else this.#post(process, "exited", () => ({ type: "exited", member, incarnation }));
    if (member !== VSWITCH) this.#linkChanged(process);
  }

  /** The machine of this runtime cannot be reached any more; answers that were under way are lost. */
  cut(process: FakeProcess): void {
    this.log.push(`cut off: ${nameOf(process)}`);
    process.isCut = true;
    const queue = this.#queueOf(process);
    for (let i = queue.length - 1; i >= 0; i--) if (queue[i]!.about === "told" || queue[i]!.about === "ready") queue.splice(i, 1);
  }

  /** All machines can be reached again: who is to die dies, who has died is missed, and the others say whom they know. */
  reconnect(): void {
    this.log.push("all can be reached");
    for (const { member, incarnation } of this.#unseen.values()) this.#post({ member, incarnation }, "exited", () => ({ type: "exited", member, incarnation }));
    this.#unseen.clear();
    for (const process of [...this.processes.values()]) {
      if (!process.isCut) continue;
      process.isCut = false;
      if (process.isToDie) {
        this.kill(process);
        continue;
      }
      const { member, incarnation, vswitch, homes } = process;
      if (!process.isReady) {
        process.isReady = true;
        this.#linkChanged(process);
        this.#post(process, "ready", () => ({ type: "ready", member, incarnation }));
        continue;
      }
      if (process.isHung) continue;
      const others = [...process.knows].map(([other, one]) => ({ member: other, ...one }));
      const knows = [...others, { member: VSWITCH, incarnation: vswitch, isUp: true, link: "up" as const }];
      this.#post(process, "told", () => ({ type: "found", life: { member, incarnation }, knows, homes: [...homes] }));
    }
  }

  /** The vswitch takes the silence of a runtime for its death. */
  suspect(member: number): void {
    const vswitch = this.vswitch;
    const one = vswitch?.knows.get(member);
    if (!vswitch?.isReady || !one?.isUp) return;
    vswitch.knows.delete(member);
    const lost = { type: "lost", vswitch: vswitch.incarnation, member, incarnation: one.incarnation } as const;
    this.#post(vswitch, "lost", () => lost);
  }

  #queueOf(life: Life): Happening[] {
    const name = nameOf(life);
    if (!this.#queues.has(name)) this.#queues.set(name, []);
    return this.#queues.get(name)!;
  }
  #post(from: Life, about: string, run: () => MembershipEvent | undefined): void {
    this.#queueOf(from).push({ about, run });
  }

  #carryOut(effects: readonly Effect[]): void {
    this.durable = JSON.parse(JSON.stringify(this.membership.durable())) as Durable;
    for (const effect of effects) {
      this.log.push(`  ${JSON.stringify(effect)}`);
      if (effect.type === "spawn") this.#spawn(effect);
      if (effect.type === "tell") this.#tell(effect.to, effect.command);
      if (effect.type === "wake") this.#wakeAtMs = effect.atMs;
      if (effect.type === "kill") {
        const process = this.processes.get(nameOf(effect.life));
        if (process?.isCut) process.isToDie = true;
        else if (process) this.kill(process);
      }
      if (effect.type === "collect") {
        // Books and what is still to be put into them are written as one.
        this.#post(effect.life, "collected", () => {
          this.collected.push(nameOf(effect.life));
          return { type: "collected", life: effect.life };
        });
      }
    }
  }

  #spawn({ life, term, vswitch, peers, homes }: Effect & { type: "spawn" }): void {
    const kept = this.durable.members.find(({ member }) => member === life.member);
    must(kept?.incarnation === life.incarnation && kept.isAlive && this.durable.lastIncarnation >= life.incarnation, "it is on disk before it is started");
    must(!this.#spawned.has(life.incarnation), "no incarnation comes twice");
    must(!this.runtime(life.member), "one life of a member at a time");
    this.#spawned.add(life.incarnation);
    if (life.member === VSWITCH) {
      must(term >= this.#leastTerm && this.durable.term === term, "the term grows");
    } else {
      const stale = [...this.processes.values()].filter((one) => one.isReady && !one.isHung && !one.isCut && one.knows.has(life.member));
      must(
        stale.every((one) => one.member === VSWITCH && one.knows.get(life.member)!.incarnation === life.incarnation),
        "nobody knows the old life",
      );
    }
    const knows = new Map(peers.map(({ member, incarnation }) => [member, { incarnation, isUp: life.member !== VSWITCH, link: "none" as const }]));
    const nothing = { isReady: false, isHung: false, isCut: false, isToDie: false };
    const process: FakeProcess = { ...life, term, vswitch, knows, homes, ...nothing, excluded: new Map() };
    this.processes.set(nameOf(life), process);
    this.#post(life, "ready", () => {
      process.isReady = true;
      if (life.member === VSWITCH) this.#leastTerm = term + 1;
      this.#linkChanged(process);
      return { type: "ready", ...life };
    });
  }

  #isLinked(vswitch: FakeProcess, { member, incarnation }: Life): boolean {
    const runtime = this.processes.get(nameOf({ member, incarnation }));
    return runtime?.isReady === true && runtime.vswitch === vswitch.incarnation;
  }

  /** The vswitch sees the runtime's end of the link come, some time or other, or go at once; when it goes, the runtime is fenced. */
  #linkChanged(runtime: Life): void {
    const vswitch = this.vswitch;
    const one = vswitch?.knows.get(runtime.member);
    if (!vswitch || one?.incarnation !== runtime.incarnation) return;
    const { member, incarnation } = runtime;
    const event = { type: "link", vswitch: vswitch.incarnation, member, incarnation } as const;
    if (this.#isLinked(vswitch, runtime)) {
      this.#post(vswitch, "link", () => {
        if (one.link === "up" || vswitch.knows.get(member) !== one || !this.#isLinked(vswitch, runtime)) return undefined;
        one.link = "up";
        this.#linked.add(`${vswitch.incarnation} ${incarnation}`);
        return { ...event, isUp: true };
      });
    } else if (one.link === "up") {
      one.link = "waiting";
      this.#post(vswitch, "link", () => ({ ...event, isUp: false }));
      if (one.isUp) this.suspect(member);
    }
  }

  #tell(to: Life, command: Command): void {
    const process = this.processes.get(nameOf(to));
    if (!process) return;
    must(process.isReady, "nobody is told anything before it is ready");
    if (process.isCut) return;
    if (process.isHung) {
      this.#post(to, "told", () => ({ type: "hung", ...to }));
      return;
    }
    const isOk = to.member === VSWITCH ? this.#vswitchDoes(process, command) : this.#runtimeDoes(process, command);
    this.#post(to, "told", () => ({ type: "told", to, command, isOk }));
    if (command.do === "stop") {
      this.processes.delete(nameOf(to));
      this.#post(to, "exited", () => ({ type: "exited", ...to }));
    }
  }

  #vswitchDoes(vswitch: FakeProcess, command: Command): boolean {
    if (command.do === "exclude") vswitch.excluded.set(command.member, command.on);
    must(command.do !== "homes", "a vswitch keeps no replicas");
    if (command.do === "exclude" || command.do === "stop") return true;
    const { member, incarnation } = command;
    const one = vswitch.knows.get(member);
    switch (command.do) {
      case "link":
        must(!one || one.incarnation === incarnation, "a member has one link");
        vswitch.knows.set(member, { incarnation, isUp: false, link: "waiting" });
        this.#linkChanged(command);
        return true;
      case "member_up": {
        if (!one || one.incarnation !== incarnation) return false;
        must(this.#linked.has(`${vswitch.incarnation} ${incarnation}`), "its link has been seen");
        if (one.link !== "up") return false;
        const runtime = this.processes.get(nameOf({ member, incarnation }));
        for (const [other, peer] of vswitch.knows) {
          const process = this.processes.get(nameOf({ member: other, incarnation: peer.incarnation }));
          if (other === member || !peer.isUp || !process || process.isHung || process.isCut || !runtime || runtime.isCut) continue;
          must(process.knows.get(member)?.incarnation === incarnation, `${other} knows ${member} before it gets flows`);
          must(runtime.knows.get(other)?.incarnation === peer.incarnation, `${member} knows ${other} before it gets flows`);
        }
        one.isUp = true;
        vswitch.excluded.set(member, false);
        return true;
      }
      case "member_down":
        if (one?.incarnation === incarnation) vswitch.knows.delete(member);
        return true;
    }
  }

  #runtimeDoes(runtime: FakeProcess, command: Command): boolean {
    must(command.do !== "link" && command.do !== "exclude", "runtimes have no such command");
    if (command.do === "homes") runtime.homes = command.members;
    if (command.do === "member_up" && command.member === VSWITCH) {
      runtime.vswitch = command.incarnation;
      this.#linkChanged(runtime);
    } else if (command.do === "member_up") {
      const old = runtime.knows.get(command.member);
      must(!old || old.incarnation === command.incarnation, "the old life is taken back before the new one is told");
      runtime.knows.set(command.member, { incarnation: command.incarnation, isUp: true, link: "none" });
    }
    if (command.do === "member_down" && runtime.knows.get(command.member)?.incarnation === command.incarnation) runtime.knows.delete(command.member);
    return true;
  }
}

export const nameOf = ({ member, incarnation }: Life): string => `${member}.${incarnation}`;

function must(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`broken: ${what}`);
}
