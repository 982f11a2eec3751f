/**
 * A request that survives its connection: when it breaks, the same is asked for on the next one, for as long as its deadline lasts. What only looks is asked
 * again as it is; what changes something, under its key, so that it is done once. If the other process was started anew in between, it remembers no keys, and
 * whether it has done what was asked for is not known: then the caller is told so instead.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { ErrorCode } from "@nfactor/sdk/error_codes";
import type { Clock } from "../clock/clock.ts";
import type { CallOptions } from "./calling.ts";
import type { CallName, Methods, ParamsOf, ResultOf } from "./method.ts";
import { calledOff, pastDeadline } from "./outcomes.ts";
import type { Session } from "./session.ts";

/** The session of the moment. */
export interface Sessions<C extends Methods> {
  /** Resolves as soon as there is one. Rejects with the signal's reason. */
  session(signal: AbortSignal): Promise<Session<C>>;
}

/** Where a session is when there is one, and where it is waited for. */
export class SessionPlace<C extends Methods> implements Sessions<C> {
  readonly #waiting = new Set<(session: Session<C>) => void>();
  #session: Session<C> | undefined;

  get current(): Session<C> | undefined {
    return this.#session;
  }

  /** Neither a session nor anybody who waits for one. */
  get isIdle(): boolean {
    return this.#session === undefined && this.#waiting.size === 0;
  }

  set(session: Session<C>): void {
    this.#session = session;
    for (const take of this.#waiting) take(session);
    this.#waiting.clear();
  }

  /** Unless another one has come already. */
  clear(session: Session<C>): void {
    if (this.#session === session) this.#session = undefined;
  }

  session(signal: AbortSignal): Promise<Session<C>> {
    if (this.#session?.isOpen) return Promise.resolve(this.#session);
    return new Promise((done, fail) => {
      const stop = (): void => {
        this.#waiting.delete(take);
        fail(signal.reason as Error);
      };
      const take = (session: Session<C>): void => {
        signal.removeEventListener("abort", stop);
        done(session);
      };
      this.#waiting.add(take);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
    });
  }
}

/** What ends a connection that the next one may do better. */
const AGAIN: ReadonlySet<ErrorCode> = new Set(["rpc.closed", "rpc.lost", "rpc.replaced", "rpc.slow"]);
/** After `rpc.busy`, which comes over a connection that is whole. */
const PAUSE_MS = 250;

export async function callAgain<C extends Methods, N extends CallName<C>>(
  sessions: Sessions<C>,
  clock: Clock,
  name: N,
  params: ParamsOf<C[N]>,
  { deadlineMs, key, signal }: CallOptions & { readonly deadlineMs: number },
): Promise<ResultOf<C[N]>> {
  const endsMs = clock.nowMs() + deadlineMs;
  const over = new AbortController();
  const cancelEnd = clock.after(deadlineMs, () => over.abort(pastDeadline()));
  const abort = (): void => over.abort(calledOff());
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  /** Of the process that may have begun it. */
  let life: string | undefined;
  try {
    for (;;) {
      const session = await sessions.session(over.signal);
      if (key !== undefined && life !== undefined && session.peer.life !== life)
        throw new NfError("rpc.outcome", `'${name}' was asked for, and the other side was started anew before it answered`, {
          fix: "See whether it was done. If it was not, ask for it under another key.",
        });
      try {
        return await session.call(name, params, { key, signal: over.signal, deadlineMs: Math.max(1, endsMs - clock.nowMs()) });
      } catch (error) {
        if (over.signal.aborted) throw over.signal.reason;
        const code = error instanceof NfError ? error.code : undefined;
        // A handler may fail with the same codes, on account of connections of its own: that is an answer.
        if (code !== undefined && AGAIN.has(code) && !session.isOpen) life = session.peer.life;
        else if (code === "rpc.busy") await pause(clock, over.signal);
        else throw error;
      }
    }
  } finally {
    cancelEnd();
    signal?.removeEventListener("abort", abort);
  }
}

/** Rejects with the signal's reason. */
export function pause(clock: Clock, signal: AbortSignal, ms = PAUSE_MS): Promise<void> {
  return new Promise((done, fail) => {
    const stop = (): void => {
      cancel();
      fail(signal.reason as Error);
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", stop);
      done();
    });
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
}
