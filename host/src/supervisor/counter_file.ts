/**
 * A member's counters in the file that outlives it; the layout is that of dataplane-native/src/link/counter_file.h. The member writes while this reads: each
 * word is whole, the words together are of some moment or other until the process has ended.
 */
import { readFileSync } from "node:fs";
import { dropReasonName } from "@nfactor/sdk/abi";
import { NfError } from "@nfactor/sdk/errors";

const MAGIC = "NFCOUNT1";
const VERSION = 1;
const HEADER_BYTES = 64;
const WORDS = 128;
const WORD = { dropped: 6, droppedByNfs: 70, stamped: 71, outputs: 72, flowsOpen: 73, link: 80, droppedByNf: 96, recovered: 112, claimed: 117 } as const;
const REASONS = 64;
const NFS = 16;

export interface MemberCounters {
  member: number;
  incarnation: number;
  term: number;
  pid: number;
  /** Of its lcore: the heartbeat. */
  turns: bigint;
  hasEndedInOrder: boolean;
  /** Of a runtime: from and to the vswitch. */
  received: bigint;
  receivedBytes: bigint;
  sent: bigint;
  sentBytes: bigint;
  /** Of the vswitch: `sent`, and what it is handing to a port just now. */
  claimed: bigint;
  emitted: bigint;
  held: bigint;
  /** By the host's reasons. */
  dropped: Record<string, bigint>;
  /** By all NFs together. */
  droppedByNfs: bigint;
  /** By place in the chain; some milliseconds late. */
  droppedByNf: bigint[];
  flowsOpen: number;
  flowsOpened: bigint;
  movedIn: bigint;
  movedOut: bigint;
  migrations: number;
  recovered: bigint;
  stateLost: bigint;
  /** Of a runtime; some milliseconds late. */
  replicas: number;
  unprotected: number;
  replicationLag: number;
}

/** Undefined while there is no such file. Throws NfError (host.socket) when it is something else. */
export function readCounterFile(path: string): MemberCounters | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new NfError("host.socket", `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return parseCounterFile(bytes, path);
}

export function parseCounterFile(bytes: Buffer, path: string): MemberCounters {
  const wrong = (what: string): NfError => new NfError("host.socket", `${path} is no counter file of this version: ${what}`);
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) throw wrong(`it does not begin with ${MAGIC}`);
  const [version, words] = [bytes.readUInt32LE(8), bytes.readUInt16LE(14)];
  if (version !== VERSION || words < WORDS || bytes.length < HEADER_BYTES + 8 * words) throw wrong(`version ${version}, ${words} words, ${bytes.length} bytes`);
  const word = (i: number): bigint => bytes.readBigUInt64LE(HEADER_BYTES + 8 * i);
  const dropped: Record<string, bigint> = {};
  for (let i = 0; i < REASONS; i++) if (word(WORD.dropped + i) > 0n) dropped[dropReasonName(i)] = word(WORD.dropped + i);
  return {
    member: bytes.readUInt16LE(12),
    incarnation: bytes.readUInt32LE(16),
    term: bytes.readUInt32LE(20),
    pid: Number(bytes.readBigUInt64LE(24)),
    turns: bytes.readBigUInt64LE(32),
    hasEndedInOrder: bytes.readBigUInt64LE(48) !== 0n,
    received: word(0),
    receivedBytes: word(1),
    sent: word(2),
    sentBytes: word(3),
    claimed: word(WORD.claimed),
    emitted: word(4),
    held: word(5),
    dropped,
    droppedByNfs: word(WORD.droppedByNfs),
    droppedByNf: Array.from({ length: NFS }, (_, i) => word(WORD.droppedByNf + i)),
    flowsOpen: Number(word(WORD.flowsOpen)),
    flowsOpened: word(WORD.flowsOpen + 1),
    movedIn: word(WORD.flowsOpen + 2),
    movedOut: word(WORD.flowsOpen + 3),
    migrations: Number(word(WORD.flowsOpen + 4)),
    recovered: word(WORD.recovered),
    stateLost: word(WORD.recovered + 1),
    replicas: Number(word(WORD.recovered + 2)),
    unprotected: Number(word(WORD.recovered + 3)),
    replicationLag: Number(word(WORD.recovered + 4)),
  };
}

/** By the host's reasons, and what NFs have dropped as `nf`. */
export function dropsOf({ dropped, droppedByNfs }: MemberCounters): Record<string, bigint> {
  return droppedByNfs > 0n ? { ...dropped, nf: droppedByNfs } : dropped;
}

/** Packets that the member has dropped, whoever decided it. */
export function droppedBy({ dropped, droppedByNfs }: MemberCounters): bigint {
  return Object.values(dropped).reduce((sum, n) => sum + n, droppedByNfs);
}
