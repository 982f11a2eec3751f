/** What became of one packet that a test has sent. `String(verdict)`: FORWARD, REPLY, HELD, or DROP with the reason. */
import type { PacketOutcome, SentFrame } from "../simulator/report.ts";

export class Verdict {
  readonly #outcome: PacketOutcome;
  readonly #sent: readonly SentFrame[];
  readonly #prefix: string;

  /** `prefix` is left out of reasons: in a test of one NF they are its own. */
  constructor(outcome: PacketOutcome, sent: readonly SentFrame[], prefix: string) {
    this.#outcome = outcome;
    this.#sent = sent;
    this.#prefix = prefix;
  }

  /** HELD is a fragment that waits for its first one; the verdict changes when that comes. */
  get kind(): "FORWARD" | "REPLY" | "DROP" | "HELD" {
    return ({ sent: "FORWARD", replied: "REPLY", dropped: "DROP", held: "HELD" } as const)[this.#outcome.fate];
  }

  /** Why it was dropped: the NF's own name of the reason, or the host's; "" otherwise. */
  get reason(): string {
    const { reason } = this.#outcome;
    return reason.startsWith(this.#prefix) ? reason.slice(this.#prefix.length) : reason;
  }

  /** The frame that left. Throws when none did. */
  get frame(): Uint8Array {
    const sent = this.#all().find(({ order }) => order === 0);
    if (!sent) throw new Error(`the packet did not leave: ${String(this)}`);
    return sent.bytes;
  }

  /** Frames that NFs sent because of this packet. */
  get emitted(): Uint8Array[] {
    return this.#all()
      .filter(({ order }) => order > 0)
      .sort((a, b) => a.order - b.order)
      .map(({ bytes }) => bytes);
  }

  /** Ports that the packet and what was emitted left through. */
  get ports(): ("client" | "server")[] {
    return [...this.#all()].sort((a, b) => a.order - b.order).map(({ port }) => (port === 0 ? "client" : "server"));
  }

  toString(): string {
    return this.kind === "DROP" ? `DROP ${this.reason}` : this.kind;
  }

  #all(): SentFrame[] {
    return this.#sent.filter(({ index }) => index === this.#outcome.index);
  }
}
