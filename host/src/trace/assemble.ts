/**
 * Stories out of the records of several members.
 *
 * A packet has a number in each member, and these belong together by stamps: what the vswitch has routed under a stamp is what the runtime has taken under it,
 * and what a runtime has stamped on its way out is what comes back to the vswitch. Members are read one after the other, so a record may come before the one
 * that it hangs on; it waits for some rounds then. What hangs on nothing (a trace before this one, records that found no room) is left out.
 */
import { HOPS_MAX, type TraceHop, type TracePacket } from "./packet.ts";
import type { TraceBatch, TraceRecord } from "./records.ts";

/** Rounds that a record waits for the one before it, and a story for its last records. */
const ROUNDS = 3;
/** A story of which nothing is heard for so long is told as far as it is known. */
const QUIET_ROUNDS = 40;
const VSWITCH = 0;

interface Story {
  packet: number;
  atNs: bigint;
  wireLength: number;
  madeBy: TracePacket["made_by"];
  hops: { member: number; isRemote: boolean; record: TraceRecord }[];
  keys: string[];
  hasEnded: boolean;
  /** Rounds since the last record of it. */
  quiet: number;
}

interface Waiting {
  member: number;
  isRemote: boolean;
  record: TraceRecord;
  rounds: number;
}

export class TraceAssembler {
  readonly #entries: readonly string[];
  readonly #offsetNs: bigint;
  readonly #stories = new Set<Story>();
  readonly #byKey = new Map<string, Story>();
  #waiting: Waiting[] = [];
  #last = 0;

  /** `offsetNs`: from CLOCK_MONOTONIC to the time since the epoch. */
  constructor(entries: readonly string[], offsetNs: bigint) {
    this.#entries = entries;
    this.#offsetNs = offsetNs;
  }

  /** Stories that have not been told yet. */
  get open(): number {
    return this.#stories.size;
  }

  /** One round: all that there was to be read in each member. */
  push(batches: readonly TraceBatch[]): void {
    let left: Waiting[] = this.#waiting;
    for (const { member, isRemote, records } of batches) for (const record of records) left.push({ member, isRemote, record, rounds: 0 });
    for (const story of this.#stories) story.quiet += 1;
    for (let before = -1; before !== left.length;) {
      before = left.length;
      // Behind one of its packet that waits a record waits too.
      const blocked = new Set<string>();
      left = left.filter((one) => {
        const number = numberKey(one.member, one.record.n);
        if (!blocked.has(number) && this.#take(one)) return false;
        blocked.add(number);
        return true;
      });
    }
    for (const one of left) one.rounds += 1;
    this.#waiting = left.filter(({ rounds }) => rounds < ROUNDS);
  }

  /** Those that are known to their ends, in order of their numbers; with `all` every one there is. */
  take(all = false): TracePacket[] {
    const done = [...this.#stories].filter(({ hasEnded, quiet }) => all || quiet >= (hasEnded ? ROUNDS : QUIET_ROUNDS));
    for (const story of done) {
      this.#stories.delete(story);
      for (const key of story.keys) if (this.#byKey.get(key) === story) this.#byKey.delete(key);
    }
    return done.sort((a, b) => a.packet - b.packet).map((story) => this.#tell(story));
  }

  /** False: nothing is known yet that it hangs on. */
  #take({ member, isRemote, record }: Waiting): boolean {
    const number = numberKey(member, record.n);
    const story = this.#storyOf(member, record);
    if (!story) return false;
    story.quiet = 0;
    if (BEGINS.has(record.hop)) this.#know(number, story);
    if (record.hop === "routed") this.#know(stampKey(`down ${record.to}`, record), story);
    if (record.hop === "stamped" || record.hop === "relayed") this.#know(stampKey("up", record), story);
    if (record.hop === "out" || record.hop === "dropped" || record.verdict === "DROP") story.hasEnded = true;
    if (story.hops.length < HOPS_MAX) story.hops.push({ member, isRemote, record });
    return true;
  }

  #storyOf(member: number, record: TraceRecord): Story | undefined {
    const { hop } = record;
    if (hop === "in") return this.#open(record, undefined);
    if (hop === "taken") return this.#byKey.get(stampKey(`down ${member}`, record));
    if (hop === "gate") return this.#byKey.get(stampKey("up", record));
    if (hop === "emitted") {
      const cause = this.#byKey.get(numberKey(member, record.cause ?? 0));
      return cause && this.#open(record, { packet: cause.packet, entry: this.#entryOf(record) ?? "" });
    }
    const known = this.#byKey.get(numberKey(member, record.n));
    // The owner has given it to a replica, which has it under a number of its own.
    return known ?? (hop === "relayed" ? this.#byKey.get(stampKey("up", record)) : undefined);
  }

  #open(record: TraceRecord, madeBy: Story["madeBy"]): Story {
    const story: Story = { packet: ++this.#last, atNs: record.at, wireLength: record.length, madeBy, hops: [], keys: [], hasEnded: false, quiet: 0 };
    this.#stories.add(story);
    return story;
  }

  #know(key: string, story: Story): void {
    this.#byKey.set(key, story);
    story.keys.push(key);
  }

  #entryOf({ nf }: TraceRecord): string | undefined {
    return nf === undefined ? undefined : this.#entries[nf];
  }

  #tell({ packet, atNs, wireLength, madeBy, hops, hasEnded }: Story): TracePacket {
    const ordered = inOrder(hops);
    return {
      packet,
      at_us: Number((atNs + this.#offsetNs) / 1000n),
      wire_length: wireLength,
      ...(madeBy ? { made_by: madeBy } : {}),
      is_whole: hasEnded,
      hops: ordered.map(({ member, isRemote, record }, i) => {
        const before = ordered[i - 1];
        const after = before && before.isRemote === isRemote && (!isRemote || before.member === member) ? record.at - before.record.at : undefined;
        return this.#hop(member, record, after);
      }),
    };
  }

  #hop(member: number, record: TraceRecord, after: bigint | undefined): TraceHop {
    const entry = this.#entryOf(record);
    const verdict = record.skipped ? "BYPASS" : record.verdict;
    return {
      hop: record.hop,
      runtime: member,
      ...(after !== undefined && after >= 0n ? { after_ns: Number(after) } : {}),
      ...(entry === undefined ? {} : { entry }),
      ...(verdict === undefined ? {} : { verdict }),
      ...(record.reason === undefined ? {} : { reason: record.reason }),
      ...(record.port === undefined ? {} : { port: record.port === 0 ? ("client" as const) : ("server" as const) }),
      ...(record.to === undefined ? {} : { to: record.to }),
      ...(record.waits === undefined ? {} : { waits_for: record.waits }),
      ...(record.new ? { new_flow: true as const } : {}),
      ...(record.reply ? { reply: true as const } : {}),
      ...(record.changed ? { changed: true as const } : {}),
      ...(record.frame === undefined ? {} : { frame: record.frame }),
    };
  }
}

/** Hops that give a packet its number in a member. */
const BEGINS: ReadonlySet<TraceRecord["hop"]> = new Set(["in", "taken", "gate", "emitted", "relayed"]);
const numberKey = (member: number, n: number): string => `${member} ${n}`;
function stampKey(way: string, { stamp = [0, 0, 0, 0] }: TraceRecord): string {
  return `${way} ${stamp.join(" ")}`;
}

/** Those of one machine by time. Another one's clock says nothing here: what was done there comes behind what sent it there. */
function inOrder(hops: Story["hops"]): Story["hops"] {
  const [back, front] = [hops.findIndex(({ record }) => record.hop === "gate"), hops.some(({ isRemote }) => isRemote)];
  if (!front) return [...hops].sort((a, b) => (a.record.at < b.record.at ? -1 : a.record.at > b.record.at ? 1 : 0));
  const of = (part: Story["hops"]) => [...part].sort((a, b) => Number(a.record.at - b.record.at));
  const gateAt = back >= 0 ? hops[back]!.record.at : undefined;
  const isHome = ({ member }: Story["hops"][number]): boolean => member === VSWITCH;
  const isBehind = ({ record }: Story["hops"][number]): boolean => gateAt !== undefined && record.at >= gateAt;
  const home = hops.filter(isHome);
  return [...of(home.filter((hop) => !isBehind(hop))), ...of(hops.filter((hop) => !isHome(hop))), ...of(home.filter(isBehind))];
}
