/**
 * What the README says of TCP, in the plainest form: over positions that never wrap, with whole lists of what was seen. The monitor has to agree.
 */
export interface Segment {
  direction: 0 | 1;
  timeNs: bigint;
  /** Letters as in the test kit. */
  flags: string;
  /** Number of the connection that this one belongs to, and the place in it: 0 is the SYN. */
  connection: number;
  position: number;
  data: number;
  window: number;
  frameBytes: number;
}

interface Seen {
  from: number;
  to: number;
}

const REORDER_NS = 3_000_000n;

class Side {
  segments: Segment[] = [];
  isFollowed = false;
  /** The connection that the last SYN was of. */
  connection: number | undefined;
  /** Of what is followed. */
  seen: Seen[] = [];
  gapNs: bigint | undefined;
  gaps = 0;
  outOfOrder = 0;
  keepAlives = 0;
  retransmissions = 0;
  retransmittedBytes = 0;

  get highest(): number {
    return Math.max(...this.seen.map(({ to }) => to));
  }

  follow({ connection, position, data, flags, timeNs }: Segment): void {
    const length = data + (flags.includes("S") ? 1 : 0) + (flags.includes("F") ? 1 : 0);
    const piece = { from: position, to: position + length };
    const isNew = flags.includes("S") && connection !== this.connection;
    if (flags.includes("S")) this.connection = connection;
    if (isNew || !this.isFollowed) {
      this.isFollowed = true;
      this.seen = [piece];
      this.gapNs = undefined;
      return;
    }
    const { highest } = this;
    if (!/[SF]/.test(flags) && length <= 1 && position === highest - 1) {
      this.keepAlives++;
      return;
    }
    if (length === 0) return;
    this.seen.push(piece);
    if (position === highest) return;
    if (position > highest) {
      this.gaps++;
      this.gapNs = timeNs;
    } else if (this.gapNs !== undefined && timeNs - this.gapNs < REORDER_NS && piece.to <= highest) {
      this.outOfOrder++;
    } else {
      this.retransmissions++;
      this.retransmittedBytes += Math.min(piece.to, highest) - position;
    }
  }

  count(flag: string): number {
    return this.segments.filter(({ flags }) => flags.includes(flag)).length;
  }
}

const FLAG_BITS = "FSRPAUEC";

export class Reference {
  readonly #sides = [new Side(), new Side()] as const;
  #syns: bigint[] = [];
  #synAcks: bigint[] = [];
  #connection: number | undefined;
  #isDone = false;
  #rttServerNs = 0n;
  #rttClientNs = 0n;
  handshakes = 0;

  see(segment: Segment): void {
    const side = this.#sides[segment.direction];
    side.segments.push(segment);
    if (segment.flags.includes("R")) return;
    this.#handshake(segment);
    side.follow(segment);
  }

  #handshake({ direction, flags, timeNs, connection }: Segment): void {
    const [syn, ack] = [flags.includes("S"), flags.includes("A")];
    if (direction === 0 && syn && !ack) {
      if (connection !== this.#connection) [this.#connection, this.#syns, this.#synAcks, this.#isDone] = [connection, [], [], false];
      this.#syns.push(timeNs);
    } else if (this.#syns.length === 0 || this.#isDone) {
      return;
    } else if (direction === 1 && syn && ack) {
      this.#synAcks.push(timeNs);
      if (this.#synAcks.length === 1 && this.#syns.length === 1) this.#rttServerNs = timeNs - this.#syns[0]!;
    } else if (direction === 0 && !syn && ack && this.#synAcks.length > 0) {
      this.#isDone = true;
      this.handshakes++;
      if (this.#synAcks.length === 1) this.#rttClientNs = timeNs - this.#synAcks[0]!;
    }
  }

  /** The fields that the README names, as the test kit shows them. */
  get state(): Record<string, unknown> {
    const both = <T>(of: (side: Side) => T): [T, T] => [of(this.#sides[0]), of(this.#sides[1])];
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    return {
      packets: both(({ segments }) => BigInt(segments.length)),
      bytes: both(({ segments }) => BigInt(sum(segments.map(({ frameBytes }) => frameBytes)))),
      payloadBytes: both(({ segments }) => BigInt(sum(segments.map(({ data }) => data)))),
      firstNs: both(({ segments }) => segments[0]?.timeNs ?? 0n),
      lastNs: both(({ segments }) => segments.at(-1)?.timeNs ?? 0n),
      rttServerNs: this.#rttServerNs,
      rttClientNs: this.#rttClientNs,
      retransmissions: both(({ retransmissions }) => retransmissions),
      retransmittedBytes: both(({ retransmittedBytes }) => retransmittedBytes),
      outOfOrder: both(({ outOfOrder }) => outOfOrder),
      gaps: both(({ gaps }) => gaps),
      keepAlives: both(({ keepAlives }) => keepAlives),
      syn: both((side) => side.count("S")),
      fin: both((side) => side.count("F")),
      rst: both((side) => side.count("R")),
      zeroWindow: both(({ segments }) => segments.filter(({ window, flags }) => window === 0 && !flags.includes("R")).length),
      tcpFlags: both(({ segments }) => segments.reduce((all, { flags }) => [...flags].reduce((bits, flag) => bits | (1 << FLAG_BITS.indexOf(flag)), all), 0)),
      fragments: [0, 0],
      icmpErrors: [0, 0],
    };
  }
}
