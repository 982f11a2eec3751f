/**
 * Whether the other side is still there. A machine that loses power, or a cable that is cut, closes nothing: without this a connection would look open for
 * hours. Each side asks at regular times, and whatever comes is a sign of life.
 */
import type { Clock } from "../clock/clock.ts";

export interface PulseTimes {
  readonly everyMs: number;
  /** So long without a sign, and the connection is given up. */
  readonly silenceMs: number;
}
export const PULSE: PulseTimes = { everyMs: 5_000, silenceMs: 20_000 };

export class Pulse {
  readonly #clock: Clock;
  readonly #times: PulseTimes;
  readonly #beat: (n: number) => void;
  readonly #lost: (silentMs: number) => void;
  #n = 0;
  #heardMs: number;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, times: PulseTimes, beat: (n: number) => void, lost: (silentMs: number) => void) {
    this.#clock = clock;
    this.#times = times;
    this.#beat = beat;
    this.#lost = lost;
    this.#heardMs = clock.nowMs();
    this.#next();
  }

  heard(): void {
    this.#heardMs = this.#clock.nowMs();
  }

  stop(): void {
    this.#cancel();
  }

  #next(): void {
    const { everyMs, silenceMs } = this.#times;
    const dueMs = this.#clock.nowMs() + everyMs;
    this.#cancel = this.#clock.after(everyMs, () => {
      const nowMs = this.#clock.nowMs();
      // This process was held up itself: what has come meanwhile is read only after this. The other side gets another turn to be heard.
      if (nowMs - dueMs >= everyMs) this.#heardMs = Math.max(this.#heardMs, nowMs - silenceMs + everyMs);
      const silentMs = nowMs - this.#heardMs;
      if (silentMs >= silenceMs) return this.#lost(silentMs);
      this.#beat(++this.#n);
      this.#next();
    });
  }
}
