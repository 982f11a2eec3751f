/**
 * What became of a tenant's packets over all lives of all its members: received and sent are the vswitch's, dropped and emitted everybody's.
 *
 * Sums of the living come from their counter files; names of what NFs have dropped, and the NFs' own counters, from what the members last said. A life that
 * has ended is added once to what is kept on disk (`Kept`). What is in no count while all live is on its way between them, and held. Once a process has died
 * before its time, some of it is lost: the least that was missing at any moment since then bounds that from above, and at the end it is exact.
 */
import { z } from "zod";
import type { CountersSnapshot, NfCounters } from "../dataplane/native_types.ts";
import { type MemberCounters, droppedBy } from "./counter_file.ts";
import { VSWITCH } from "./membership_events.ts";

const big = z.string().regex(/^\d+$/).transform(BigInt);
const byName = z.record(z.string(), big);
export const keptSchema = z.object({
  received: big,
  receivedBytes: big,
  sent: big,
  sentBytes: big,
  missed: big,
  emitted: big,
  dropped: byName,
  flowsOpened: big,
  eventsLost: big,
  nfs: z.array(z.object({ entry: z.string(), faults: big, counters: byName })),
  /** Packets that a vswitch was handing to a port when it died: they have left, or not. A supervisor before this one may not have kept count. */
  maybeSent: big.default(0n),
  /** Lives that ended before their time. */
  deaths: z.int().min(0),
});
export type Kept = z.output<typeof keptSchema>;

export function emptyKept(): Kept {
  const none = { received: 0n, receivedBytes: 0n, sent: 0n, sentBytes: 0n, missed: 0n, emitted: 0n, flowsOpened: 0n, eventsLost: 0n };
  return { ...none, dropped: {}, nfs: [], maybeSent: 0n, deaths: 0 };
}

/** One life as far as it is known: its file, and what it said last. */
export interface LifeAccount {
  file: MemberCounters | undefined;
  said: CountersSnapshot | undefined;
}

export class Books {
  readonly kept: Kept;
  readonly #entries: readonly string[];
  /** Least that was missing since the last death. */
  #missing: bigint | undefined;

  /** `entries`: names of the chain's NFs, in order. */
  constructor(entries: readonly string[], kept: Kept = emptyKept()) {
    this.#entries = entries;
    this.kept = kept;
  }

  /** A life that has ended. */
  close({ file, said }: LifeAccount): void {
    if (!file) return;
    const { kept } = this;
    if (!file.hasEndedInOrder) {
      kept.deaths += 1;
      this.#missing = undefined;
      if (file.member === VSWITCH) kept.maybeSent += max(file.claimed - file.sent, 0n);
    }
    addFile(kept, file);
    kept.eventsLost += said?.eventsLost ?? 0n;
    kept.missed += said?.missed ?? 0n;
    const byNf = namedDrops(said);
    addTo(kept.dropped, byNf);
    addTo(kept.dropped, this.#unnamed(file, byNf));
    for (const nf of said?.nfs ?? []) addNf(kept.nfs, nf);
  }

  /** What NFs have dropped since the process last told their reasons, which have died with it. */
  #unnamed(file: MemberCounters, named: Record<string, bigint>): Record<string, bigint> {
    const unnamed: Record<string, bigint> = {};
    let left = file.droppedByNfs - sumOf(named);
    this.#entries.forEach((entry, i) => {
      const known = sumOf(Object.fromEntries(Object.entries(named).filter(([name]) => name.startsWith(`${entry}.`))));
      const more = min((file.droppedByNf[i] ?? 0n) - known, left);
      if (more <= 0n) return;
      unnamed[`${entry}.unnamed`] = more;
      left -= more;
    });
    if (left > 0n) unnamed["nf.unnamed"] = left;
    return unnamed;
  }

  /** All lives together. `isOver`: nobody lives any more, and what is missing is lost. */
  snapshot(living: readonly LifeAccount[], isOver: boolean): CountersSnapshot & { lostInFailure: bigint; maybeSent: bigint } {
    const sum = structuredClone(this.kept);
    let dropped = sumOf(sum.dropped);
    let flowsOpen = 0;
    for (const { file, said } of living) {
      if (file) {
        addFile(sum, file);
        dropped += droppedBy(file);
        if (file.member !== VSWITCH) flowsOpen += file.flowsOpen;
      }
      sum.eventsLost += said?.eventsLost ?? 0n;
      sum.missed += said?.missed ?? 0n;
      addTo(sum.dropped, namedDrops(said));
      for (const nf of said?.nfs ?? []) addNf(sum.nfs, nf);
    }
    const come = sum.received + sum.emitted;
    const missing = max(come - sum.sent - dropped, 0n);
    if (sum.deaths > 0) this.#missing = this.#missing === undefined ? missing : min(missing, this.#missing);
    const lostInFailure = isOver ? missing : (this.#missing ?? 0n);
    const held = isOver ? 0n : max(come - sum.sent - sumOf(sum.dropped) - lostInFailure, 0n);
    const { received, receivedBytes, sent, sentBytes, missed, emitted, flowsOpened, eventsLost } = sum;
    return {
      ...{ received, receivedBytes, sent, sentBytes, missed, emitted, held, flowsOpened, eventsLost, flowsOpen, lostInFailure },
      maybeSent: min(sum.maybeSent, lostInFailure),
      nowNs: living.find(({ said }) => said)?.said?.nowNs ?? 0n,
      dropped: Object.fromEntries(Object.entries(sum.dropped).filter(([, n]) => n > 0n)),
      flowsEnded: max(flowsOpened - BigInt(flowsOpen), 0n),
      nfs: this.#entries.map((entry) => this.#nf(entry, sum.nfs, living)),
    };
  }

  #nf(entry: string, sums: Kept["nfs"], living: readonly LifeAccount[]): NfCounters {
    const sum = sums.find((one) => one.entry === entry);
    const said = living.flatMap((one) => one.said?.nfs.filter((nf) => nf.entry === entry) ?? []);
    return {
      entry,
      version: said.at(-1)?.version ?? "",
      faults: sum?.faults ?? 0n,
      quarantined: said.some(({ quarantined }) => quarantined),
      counters: sum?.counters ?? {},
    };
  }
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const sumOf = (counts: Record<string, bigint>): bigint => Object.values(counts).reduce((sum, n) => sum + n, 0n);

/** Reasons of NFs are <entry>.<reason>; the host's own are in the file. */
function namedDrops(said: CountersSnapshot | undefined): Record<string, bigint> {
  return Object.fromEntries(Object.entries(said?.dropped ?? {}).filter(([name]) => name.includes(".")));
}

function addTo(sums: Record<string, bigint>, counts: Record<string, bigint>): void {
  for (const [name, n] of Object.entries(counts)) sums[name] = (sums[name] ?? 0n) + n;
}

function addFile(sum: Kept, file: MemberCounters): void {
  addTo(sum.dropped, file.dropped);
  sum.emitted += file.emitted;
  if (file.member !== VSWITCH) {
    sum.flowsOpened += file.flowsOpened;
    return;
  }
  sum.received += file.received;
  sum.receivedBytes += file.receivedBytes;
  sum.sent += file.sent;
  sum.sentBytes += file.sentBytes;
}

function addNf(nfs: Kept["nfs"], { entry, faults, counters }: Pick<NfCounters, "entry" | "faults" | "counters">): void {
  let sum = nfs.find((one) => one.entry === entry);
  if (!sum) nfs.push((sum = { entry, faults: 0n, counters: {} }));
  sum.faults += faults;
  addTo(sum.counters, counters);
}
