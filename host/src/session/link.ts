/**
 * The host's way to its controller: one session, made again whenever it ends. Attempts come at random times within a span that doubles, so that a thousand
 * hosts do not come back to a controller in the same moment. Packets do not depend on any of it: it may last for hours.
 */
import { NfError } from "@nfactor/sdk/errors";
import { type Clock, systemClock } from "../clock/clock.ts";
import { SessionPlace, type Sessions, callAgain, pause } from "./again.ts";
import type { CallOptions } from "./calling.ts";
import type { CallName, Methods, ParamsOf, ResultOf } from "./method.ts";
import type { Session } from "./session.ts";

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** A session that has lasted so long was a good one: the next attempts begin with the first span. */
  readonly goodMs: number;
}
export const BACKOFF: Backoff = { firstMs: 500, mostMs: 30_000, goodMs: 30_000 };

export interface LinkOptions<C extends Methods> {
  /** Rejects when there is no session to be had now. */
  readonly connect: () => Promise<Session<C>>;
  readonly onSession?: (session: Session<C>) => void;
  /** Why there is none, and when the next attempt is. */
  readonly onTrouble?: (why: NfError, retryMs: number) => void;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
  readonly backoff?: Backoff;
}

export class Link<C extends Methods> implements Sessions<C> {
  readonly #options: LinkOptions<C>;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  readonly #place = new SessionPlace<C>();
  #running: Promise<void> | undefined;
  #failures = 0;

  constructor(options: LinkOptions<C>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = options.backoff ?? BACKOFF;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the session, and makes no other. */
  async stop(): Promise<void> {
    this.#stop.abort(new NfError("rpc.closed", "this side has ended the connection"));
    this.#place.current?.close();
    await this.#running;
  }

  /** The session is made anew: with another certificate. What is under way on it fails, and is asked for again. */
  renew(): void {
    this.#place.current?.close();
    this.#failures = 0;
  }

  /** The one there is, if there is one. */
  get current(): Session<C> | undefined {
    return this.#place.current;
  }

  session(signal: AbortSignal): Promise<Session<C>> {
    return this.#place.session(AbortSignal.any([signal, this.#stop.signal]));
  }

  /** See callAgain(). */
  call<N extends CallName<C>>(name: N, params: ParamsOf<C[N]>, options: CallOptions & { readonly deadlineMs: number }): Promise<ResultOf<C[N]>> {
    return callAgain(this, this.#clock, name, params, options);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const why = await this.#once();
      if (signal.aborted) return;
      const { firstMs, mostMs } = this.#backoff;
      const span = Math.min(mostMs, firstMs * 2 ** Math.min(this.#failures, 30));
      this.#failures += 1;
      // At least a tenth: random times may be zero, and an endless loop is no use to anybody.
      const retryMs = Math.round(span * (0.1 + 0.9 * (this.#options.random ?? Math.random)()));
      this.#options.onTrouble?.(why, retryMs);
      await pause(this.#clock, signal, retryMs).catch(() => undefined);
    }
  }

  /** One session from its beginning to its end; why there is none any more. */
  async #once(): Promise<NfError> {
    let session: Session<C>;
    try {
      session = await this.#options.connect();
    } catch (error) {
      if (error instanceof NfError) return error;
      return new NfError("internal", error instanceof Error ? error.message : String(error), { cause: error });
    }
    if (this.#stop.signal.aborted) session.close();
    const sinceMs = this.#clock.nowMs();
    this.#place.set(session);
    this.#options.onSession?.(session);
    const why = await session.closed;
    this.#place.clear(session);
    if (this.#clock.nowMs() - sinceMs >= this.#backoff.goodMs) this.#failures = 0;
    return why;
  }
}
