/** Looks at all members from time to time: who does nothing any more, and who cannot be reached though somebody waits for it. */
import { POLL_MS } from "./deadlines.ts";
import type { Membership } from "./membership.ts";
import { type Life, VSWITCH } from "./membership_events.ts";
import type { Present } from "./present.ts";

export interface LookedAt {
  membership(): Membership;
  presentOf(member: number): Present | undefined;
  /** The heartbeat of its present life. */
  turnsOf(member: number): bigint | undefined;
  say(text: string): void;
  onHung(life: Life): void;
}

export class Looks {
  readonly #at: LookedAt;
  #timer: NodeJS.Timeout | undefined;

  constructor(at: LookedAt) {
    this.#at = at;
  }

  /** `besides`: what else is to be done each time. */
  begin(besides: () => void): void {
    this.#timer = setInterval(() => {
      besides();
      for (const member of [VSWITCH, ...this.#at.membership().numbers]) this.#lookAt(member);
    }, POLL_MS);
  }
  end(): void {
    clearInterval(this.#timer);
  }

  #lookAt(member: number): void {
    const [membership, present] = [this.#at.membership(), this.#at.presentOf(member)];
    const isLeaving = member !== VSWITCH && !membership.runtimes.includes(member) && !membership.isGivenUp(member);
    const isAway = present?.process?.isReachable === false;
    if (present?.isMissed(isAway && (isLeaving || membership.lacksVswitch(member)))) {
      const what = isLeaving ? "is removed, and cannot be told to end" : "cannot be told of the new vswitch, which waits for it";
      this.#at.say(`${present.process!.who} ${what}; it is turned away from`);
      this.#at.onHung(present.life);
    }
    if (!present?.isReady || present.process?.isHeardOf() !== true || !present.isStuck(this.#at.turnsOf(member))) return;
    this.#at.say(`${present.process!.who} does nothing any more; it is ended`);
    this.#at.onHung(present.life);
  }
}
