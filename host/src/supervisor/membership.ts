/**
 * Who is a member of a tenant, and what is said to whom in which order: a state machine without processes, sockets or clocks.
 *
 * What each living member has been told is kept beside what it should know, and every event ends in `reconcile`, which says the next thing to each of them
 * that has answered the last one. So a restart of the supervisor needs nothing but the members' own account of what they know, and a message that went
 * missing with its process is simply not yet said.
 *
 * Order: a runtime is started when the vswitch has a link for it; the others know it before the vswitch gives it flows; one that is dead is turned away by
 * the vswitch first; nobody knows the old life of a member when the next one starts.
 */
import {
  type Command,
  type Durable,
  type Effect,
  type Found,
  INCARNATION_MAX,
  type Life,
  type MembershipEvent,
  TERM_MAX,
  VSWITCH,
} from "./membership_events.ts";
import { type Place, type Process, type RuntimeLife, type VswitchLife, areSame, forget, newPlace, runtimeOf, vswitchOf } from "./places.ts";

/** One that lived this long has started well. */
const STABLE_MS = 10_000;
const BACKOFF_MS = { first: 100, most: 5000 };

/** How long after its `failures`th death in short order a member starts again: at once after the first. */
export function backoffMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(BACKOFF_MS.first * 2 ** Math.min(failures - 2, 20), BACKOFF_MS.most);
}

export class Membership {
  #term: number;
  #lastIncarnation: number;
  #stopping: { drain: boolean } | undefined;
  readonly #vswitch: Place<VswitchLife>;
  readonly #runtimes = new Map<number, Place<RuntimeLife>>();
  #ended: Life[] = [];
  #effects: Effect[] = [];
  #nowMs = 0;

  private constructor(term: number, lastIncarnation: number) {
    this.#term = term;
    this.#lastIncarnation = lastIncarnation;
    this.#vswitch = newPlace(VSWITCH);
  }

  /** A tenant that has never run. Nothing is started before the first event. */
  static create(runtimes: readonly number[]): Membership {
    const made = new Membership(0, 0);
    for (const member of runtimes) made.#runtimes.set(member, newPlace(member));
    return made;
  }

  /** As an earlier supervisor left it, and as its processes are found. What is not found has ended. */
  static restore(durable: Durable, found: readonly Found[], nowMs: number): { membership: Membership; effects: Effect[] } {
    const made = new Membership(durable.term, durable.lastIncarnation);
    made.#nowMs = nowMs;
    made.#ended = [...durable.ended];
    for (const kept of durable.members) {
      const { member, incarnation, lives, isDraining, isRemoved, homes } = kept;
      const place = member === VSWITCH ? made.#vswitch : newPlace<RuntimeLife>(member);
      Object.assign(place, { lastIncarnation: incarnation, lives, isDraining, isRemoved, homes });
      if (member !== VSWITCH) made.#runtimes.set(member, place as Place<RuntimeLife>);
      const there = kept.isAlive && found.find(({ life }) => life.member === member && life.incarnation === incarnation);
      if (there && member === VSWITCH) made.#vswitch.life = vswitchOf(there, nowMs);
      else if (there) (place as Place<RuntimeLife>).life = runtimeOf(there, nowMs);
      if (there && kept.isFenced) made.#fence(there.life);
      else if (!there && kept.isAlive && incarnation !== 0) made.#end(place, incarnation);
    }
    for (const life of durable.ended) made.#effects.push({ type: "collect", life });
    for (const place of [...made.#runtimes.values()]) if (place.isRemoved && !place.life) made.#runtimes.delete(place.member);
    made.#reconcile();
    return { membership: made, effects: made.#take() };
  }

  durable(): Durable {
    const members = [this.#vswitch, ...this.#runtimes.values()].map(({ member, life, lastIncarnation, lives, isDraining, isRemoved, homes }) => {
      const [isAlive, isFenced] = [life?.isSpawned === true, life?.isSpawned === true && life.isFenced];
      return { member, incarnation: lastIncarnation, isAlive, isFenced, lives, isDraining, isRemoved, homes: [...homes] };
    });
    return { term: this.#term, lastIncarnation: this.#lastIncarnation, members, ended: [...this.#ended] };
  }

  /** Numbers of the runtimes that are to be there, whether they live just now or not. */
  get runtimes(): number[] {
    return [...this.#runtimes.values()].filter(({ isRemoved }) => !isRemoved).map(({ member }) => member);
  }
  /** Numbers that no other runtime can have: also of those that are to go, and have not ended. */
  get numbers(): number[] {
    return [...this.#runtimes.keys()];
  }
  get term(): number {
    return this.#term;
  }
  /** All processes have ended after `stop`. */
  get hasStopped(): boolean {
    return this.#stopping !== undefined && !this.#places().some(({ life }) => life);
  }
  /** The vswitch has been started as often as it may be. */
  get isExhausted(): boolean {
    return this.#term >= TERM_MAX && !this.#vswitch.life;
  }

  /** Undefined: not there. */
  of(member: number): { incarnation: number | undefined; isUp: boolean; isDraining: boolean; isExcluded: boolean; restarts: number } | undefined {
    const place = member === VSWITCH ? this.#vswitch : this.#runtimes.get(member);
    if (!place) return undefined;
    const { life, isDraining, lives } = place;
    return {
      incarnation: life?.isSpawned ? life.incarnation : undefined,
      isUp: this.#isUp(place),
      isDraining,
      isExcluded: this.#vswitch.life?.excluded.get(member) === true,
      restarts: Math.max(0, lives - 1),
    };
  }

  /** The runtime works, and has not been told of the vswitch that works now and may wait for it. */
  lacksVswitch(member: number): boolean {
    const [vswitch, runtime] = [this.#vswitch.life, this.#runtimes.get(member)?.life];
    return vswitch?.isReady === true && runtime?.isReady === true && !runtime.isFenced && runtime.vswitch !== vswitch.incarnation;
  }

  /** Where its replicas are to be; empty: anywhere. */
  homesOf(member: number): readonly number[] {
    return this.#runtimes.get(member)?.homes ?? [];
  }

  /** A runtime that works and has not been told where its replicas are to be. */
  lacksHomes(member: number): boolean {
    const place = this.#runtimes.get(member);
    return place?.life?.isReady === true && !place.life.isFenced && !areSame(place.homes, place.life.homes);
  }

  /** It is to go, and has been turned away from; its process may still be somewhere. */
  isGivenUp(member: number): boolean {
    const [place, vswitch] = [this.#runtimes.get(member), this.#vswitch.life];
    if (place?.isRemoved !== true || place.life?.isFenced !== true) return false;
    return !(vswitch?.links.has(member) || vswitch?.up.has(member) || vswitch?.awaits.has(member));
  }

  /** The vswitch takes what comes of this life. */
  isKnownToVswitch({ member, incarnation }: Life): boolean {
    return this.#vswitch.life?.up.get(member) === incarnation;
  }

  /** The vswitch and all runtimes work, and know each other. */
  get isWhole(): boolean {
    return this.#isUp(this.#vswitch) && this.runtimes.every((member) => this.#isUp(this.#runtimes.get(member)!));
  }

  handle(event: MembershipEvent, nowMs: number): Effect[] {
    this.#nowMs = nowMs;
    this.#apply(event);
    this.#reconcile();
    return this.#take();
  }

  #take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #places(): Place<Process>[] {
    return [this.#vswitch, ...this.#runtimes.values()];
  }

  #isUp({ member, life }: Place<Process>): boolean {
    if (!life?.isReady || life.isFenced) return false;
    return member === VSWITCH || this.#vswitch.life?.up.get(member) === life.incarnation;
  }

  /** The place whose present life this is. */
  #living({ member, incarnation }: Life): Place<Process> | undefined {
    const place = member === VSWITCH ? this.#vswitch : this.#runtimes.get(member);
    return place?.life?.incarnation === incarnation ? place : undefined;
  }

  #apply(event: MembershipEvent): void {
    const vswitch = this.#vswitch.life;
    switch (event.type) {
      case "ready": {
        const life = this.#living(event)?.life;
        if (!life) return;
        life.isReady = true;
        if (event.member === VSWITCH) life.upSinceMs = this.#nowMs;
        return;
      }
      case "link": {
        const link = vswitch?.incarnation === event.vswitch ? vswitch.links.get(event.member) : undefined;
        if (link?.incarnation === event.incarnation) link.isUp = event.isUp;
        return;
      }
      case "lost":
        if (vswitch?.incarnation === event.vswitch) forget(vswitch, event);
        this.#fence(event);
        return;
      case "exited": {
        const place = this.#living(event);
        if (!place) return;
        // One that has never worked had no links, so no packet bears its term: terms are few, and a port that is gone for an hour costs none.
        if (event.member === VSWITCH && !place.life?.isReady) this.#term -= 1;
        this.#end(place, event.incarnation);
        return;
      }
      case "hung":
        this.#fence(event);
        return;
      case "told":
        this.#told(event.to, event.command, event.isOk);
        return;
      case "found":
        this.#found(event);
        return;
      case "collected":
        this.#ended = this.#ended.filter(({ member, incarnation }) => member !== event.life.member || incarnation !== event.life.incarnation);
        this.#effects.push({ type: "forget", life: event.life });
        return;
      case "add":
        if (!this.#runtimes.has(event.member)) this.#runtimes.set(event.member, newPlace(event.member));
        return;
      case "remove": {
        const place = this.#runtimes.get(event.member);
        if (!place) return;
        place.isRemoved = true;
        // The next runtime of its number is another one, which nobody has chosen.
        for (const other of this.#runtimes.values()) other.homes = other.homes.filter((home) => home !== event.member);
        if (!place.life?.isSpawned) this.#runtimes.delete(event.member);
        return;
      }
      case "draining": {
        const place = this.#runtimes.get(event.member);
        if (place) place.isDraining = event.on;
        return;
      }
      case "homes": {
        const place = this.#runtimes.get(event.member);
        if (place) place.homes = [...new Set(event.members)].sort((a, b) => a - b);
        return;
      }
      case "stop":
        this.#stopping = { drain: event.drain && (this.#stopping?.drain ?? true) };
        return;
      case "time":
        return;
    }
  }

  /** What it has been told meanwhile, and whether it has heard it, is what it says now. */
  #found({ life, knows, homes }: Found): void {
    const kept = this.#vswitch.life;
    if (kept && life.member === VSWITCH && life.incarnation === kept.incarnation) {
      const { isFenced, upSinceMs } = kept;
      Object.assign(kept, { ...vswitchOf({ life, knows }, this.#nowMs), isFenced, upSinceMs });
      return;
    }
    const runtime = this.#runtimes.get(life.member)?.life;
    if (runtime?.incarnation !== life.incarnation) return;
    const { vswitch, knows: others, isHeard, homes: told } = runtimeOf({ life, knows, homes }, this.#nowMs);
    Object.assign(runtime, { vswitch, knows: others, isHeard, homes: told, isReady: true, asked: undefined, stopAsked: false });
  }

  /** A life that must not come back: it is killed, and everybody turns away from it. */
  #fence(life: Life): void {
    const place = this.#living(life);
    if (!place?.life || place.life.isFenced) return;
    place.life.isFenced = true;
    if (place.life.isSpawned) this.#effects.push({ type: "kill", life: { member: place.member, incarnation: place.life.incarnation } });
    else this.#failed(place);
  }

  #end(place: Place<Process>, incarnation: number): void {
    this.#failed(place);
    const life = { member: place.member, incarnation };
    this.#ended.push(life);
    this.#effects.push({ type: "collect", life });
    if (place.isRemoved) this.#runtimes.delete(place.member);
  }

  #failed(place: Place<Process>): void {
    const lived = place.life?.upSinceMs === undefined ? 0 : this.#nowMs - place.life.upSinceMs;
    place.life = undefined;
    place.failures = lived >= STABLE_MS ? 1 : place.failures + 1;
    place.startAtMs = this.#nowMs + backoffMs(place.failures);
  }

  #told(to: Life, command: Command, isOk: boolean): void {
    const life = this.#living(to)?.life;
    if (!life) return;
    if (command.do === "stop") {
      if (!isOk) this.#effects.push({ type: "kill", life: to });
      return;
    }
    life.asked = undefined;
    if (!isOk) {
      // Who is not understood cannot be worked with: the vswitch says no about a runtime, a runtime about what it should know.
      if (command.do === "exclude") return;
      this.#fence(to.member === VSWITCH && "incarnation" in command && command.do !== "member_down" ? command : to);
      return;
    }
    if (to.member === VSWITCH) this.#vswitchKnows(life as VswitchLife, command);
    else this.#runtimeKnows(life as RuntimeLife, command);
  }

  #vswitchKnows(vswitch: VswitchLife, command: Command): void {
    switch (command.do) {
      case "link": {
        const link = vswitch.links.get(command.member);
        if (link?.incarnation === command.incarnation) link.isOpen = true;
        return;
      }
      case "member_up": {
        vswitch.up.set(command.member, command.incarnation);
        vswitch.excluded.delete(command.member);
        const life = this.#living(command)?.life;
        if (life) life.upSinceMs = this.#nowMs;
        return;
      }
      case "member_down":
        forget(vswitch, command);
        return;
      case "exclude":
        vswitch.excluded.set(command.member, command.on);
        return;
      case "homes":
      case "stop":
        return;
    }
  }

  #runtimeKnows(runtime: RuntimeLife, command: Command): void {
    if (command.do === "member_up") {
      if (command.member === VSWITCH) runtime.vswitch = command.incarnation;
      else runtime.knows.set(command.member, command.incarnation);
    }
    if (command.do === "homes") runtime.homes = command.members;
    if (command.do === "member_down" && runtime.knows.get(command.member) === command.incarnation) runtime.knows.delete(command.member);
  }

  #reconcile(): void {
    if (this.#stopping) {
      this.#stop(this.#stopping.drain);
      return;
    }
    this.#start();
    const vswitch = this.#vswitch.life;
    if (vswitch?.isReady && !vswitch.isFenced && !vswitch.asked) this.#tell(this.#vswitch, this.#nextOfVswitch(vswitch));
    for (const place of this.#runtimes.values()) {
      if (place.life?.isReady && !place.life.isFenced && !place.life.asked) this.#tell(place, this.#nextOfRuntime(place, place.life));
    }
    const waiting = this.#places().filter(({ life, startAtMs }) => !life && startAtMs > this.#nowMs);
    if (waiting.length > 0) this.#effects.push({ type: "wake", atMs: Math.min(...waiting.map(({ startAtMs }) => startAtMs)) });
  }

  #tell({ member, life }: Place<Process>, command: Command | undefined): void {
    if (!command || !life) return;
    life.asked = command;
    if (command.do === "stop") life.stopAsked = true;
    if (command.do === "link" && member === VSWITCH)
      this.#vswitch.life!.links.set(command.member, { incarnation: command.incarnation, isOpen: false, isUp: false });
    this.#effects.push({ type: "tell", to: { member, incarnation: life.incarnation }, command });
  }

  #start(): void {
    const { life, startAtMs } = this.#vswitch;
    if (!life && startAtMs <= this.#nowMs && this.#term < TERM_MAX) {
      this.#term += 1;
      // Whom the one before it may have given flows to tells it of them, or is dead.
      const peers = this.#peersOf(VSWITCH);
      const awaits = new Map(peers.map(({ member, incarnation }) => [member, incarnation]));
      const made = { ...this.#newLife(this.#vswitch), isSpawned: true, links: new Map(), up: new Map(), excluded: new Map(), awaits };
      this.#vswitch.life = made;
      this.#vswitch.lives += 1;
      const life = { member: VSWITCH, incarnation: made.incarnation };
      this.#effects.push({ type: "spawn", life, term: this.#term, vswitch: made.incarnation, peers, homes: [] });
    }
    const vswitch = this.#vswitch.life;
    if (!vswitch?.isReady || vswitch.isFenced) return;
    for (const place of this.#runtimes.values()) {
      if (!place.life && !place.isRemoved && place.startAtMs <= this.#nowMs && !this.#isKnown(place.member))
        place.life = { ...this.#newLife(place), vswitch: 0, knows: new Map(), homes: [], isHeard: true };
      const runtime = place.life;
      if (runtime && !runtime.isSpawned && this.#linkOf(place)?.isOpen) this.#spawnRuntime(place, runtime, vswitch.incarnation);
    }
  }

  #newLife(place: Place<Process>): Process {
    if (this.#lastIncarnation >= INCARNATION_MAX) throw new Error("incarnations are used up");
    this.#lastIncarnation += 1;
    place.lastIncarnation = this.#lastIncarnation;
    const nothing = { asked: undefined, isSpawned: false, isReady: false, isFenced: false, stopAsked: false, upSinceMs: undefined };
    return { incarnation: this.#lastIncarnation, ...nothing };
  }

  #spawnRuntime(place: Place<RuntimeLife>, runtime: RuntimeLife, vswitch: number): void {
    const { member } = place;
    const peers = this.#peersOf(member);
    place.lives += 1;
    runtime.isSpawned = true;
    runtime.vswitch = vswitch;
    runtime.knows = new Map(peers.map((peer) => [peer.member, peer.incarnation]));
    runtime.homes = [...place.homes];
    const life = { member, incarnation: runtime.incarnation };
    this.#effects.push({ type: "spawn", life, term: this.#term, vswitch, peers, homes: [...place.homes] });
  }

  /** Runtimes that work and stay, besides this one. */
  #peersOf(member: number): Life[] {
    const peers = [...this.#runtimes.values()].filter((one) => one.member !== member && one.life?.isReady && !one.life.isFenced && !one.isRemoved);
    return peers.map((one) => ({ member: one.member, incarnation: one.life!.incarnation }));
  }

  /** Whether somebody knows a life of the member, or is being told of one, or may know one: nobody has asked. */
  #isKnown(member: number): boolean {
    const vswitch = this.#vswitch.life;
    if (vswitch?.links.has(member) || vswitch?.up.has(member) || vswitch?.awaits.has(member)) return true;
    return [...this.#runtimes.values()].some(
      ({ life }) => life && !life.isFenced && (!life.isHeard || life.knows.has(member) || (life.asked?.do === "member_up" && life.asked.member === member)),
    );
  }

  #linkOf({ member, life }: Place<RuntimeLife>): { isOpen: boolean; isUp: boolean } | undefined {
    const link = this.#vswitch.life?.links.get(member);
    return link && link.incarnation === life?.incarnation ? link : undefined;
  }

  /** Whether others are to turn away from this life. */
  #isGone(life: Life): boolean {
    const place = this.#living(life);
    return !place?.life || place.life.isFenced || place.isRemoved;
  }

  #nextOfVswitch(vswitch: VswitchLife): Command | undefined {
    const known = [...vswitch.up, ...vswitch.awaits, ...[...vswitch.links].map(([member, { incarnation }]) => [member, incarnation] as const)];
    const gone = known.find(([member, incarnation]) => this.#isGone({ member, incarnation }));
    if (gone) return { do: "member_down", member: gone[0], incarnation: gone[1] };
    for (const place of this.#runtimes.values()) {
      const { member, life, isRemoved } = place;
      if (!life || life.isFenced || isRemoved) continue;
      const { incarnation } = life;
      if (!this.#linkOf(place)) return { do: "link", member, incarnation };
      if (vswitch.up.get(member) === incarnation) {
        if (vswitch.excluded.get(member) !== place.isDraining) return { do: "exclude", member, on: place.isDraining };
      } else if (life.isReady && this.#linkOf(place)!.isUp && this.#isIntroduced(member, life, vswitch.incarnation)) {
        return { do: "member_up", member, incarnation };
      }
    }
    return undefined;
  }

  /** It knows everybody, and everybody knows it. */
  #isIntroduced(member: number, runtime: RuntimeLife, vswitch: number): boolean {
    if (runtime.vswitch !== vswitch) return false;
    return this.#peersOf(member).every(
      (peer) => runtime.knows.get(peer.member) === peer.incarnation && this.#runtimes.get(peer.member)!.life!.knows.get(member) === runtime.incarnation,
    );
  }

  #nextOfRuntime({ member, isRemoved, life, homes }: Place<RuntimeLife>, runtime: RuntimeLife): Command | undefined {
    if (!runtime.isHeard) return undefined;
    const gone = [...runtime.knows].find(([other, incarnation]) => this.#isGone({ member: other, incarnation }));
    if (gone) return { do: "member_down", member: gone[0], incarnation: gone[1] };
    if (isRemoved) return runtime.stopAsked || this.#isKnown(member) ? undefined : { do: "stop", drain: true, leaves: true };
    const vswitch = this.#vswitch.life;
    const link = vswitch?.links.get(member);
    if (vswitch?.isReady && !vswitch.isFenced && link?.isOpen && link.incarnation === life!.incarnation && runtime.vswitch !== vswitch.incarnation)
      return { do: "member_up", member: VSWITCH, incarnation: vswitch.incarnation };
    const unknown = this.#peersOf(member).find((peer) => runtime.knows.get(peer.member) !== peer.incarnation);
    if (unknown) return { do: "member_up", ...unknown };
    return areSame(homes, runtime.homes) ? undefined : { do: "homes", members: [...homes] };
  }

  /** The vswitch takes no more packets and waits for what is under way, which runtimes still work on; then they end. */
  #stop(drain: boolean): void {
    for (const place of this.#places()) if (place.life && !place.life.isSpawned) place.life = undefined;
    const end = (place: Place<Process>): void => {
      const { life, member } = place;
      if (!life || life.isFenced) return;
      if (drain && life.isReady) {
        if (!life.stopAsked) this.#tell(place, { do: "stop", drain: true, leaves: false });
      } else {
        this.#fence({ member, incarnation: life.incarnation });
      }
    };
    end(this.#vswitch);
    if (drain && this.#vswitch.life) return;
    for (const place of this.#runtimes.values()) end(place);
  }
}
