/** The half of a session that serves: the other side's requests, from the first check to the answer. Each is answered once, whatever becomes of it. */
import { NfError } from "@nfactor/sdk/errors";
import { safeText } from "../result/text.ts";
import type { Clock } from "../clock/clock.ts";
import { errorJson } from "../rpc/protocol.ts";
import { CREDIT_MAX, type RequestMessage } from "./messages.ts";
import type { Methods, Peer, Request, Sink, StreamMethod } from "./method.ts";
import { OUTLET, Outlet, type OutletLimits } from "./outlet.ts";
import { type Outcomes, type Share, calledOff, pastDeadline } from "./outcomes.ts";
import { breach, firstIssue } from "./breach.ts";
import type { Wire } from "./wire.ts";

export interface ServingOptions {
  readonly methods: Methods;
  readonly handlers: Readonly<Record<string, unknown>>;
  readonly peer: Peer;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly outcomes: Outcomes;
  /** At once; the other side was told. */
  readonly requestsMax: number;
  readonly outlet?: OutletLimits | undefined;
  /** The other side has done what it must not. */
  readonly broken: (why: NfError) => void;
}

interface Running {
  /** Calls the work off. */
  readonly cancel: (why: NfError) => void;
  /** The connection is gone. */
  readonly leave: (why: NfError) => void;
  readonly outlet?: Outlet | undefined;
}

export class Serving {
  readonly #options: ServingOptions;
  readonly #running = new Map<number, Running>();
  #lastId = 0;
  #end: NfError | undefined;

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  /** Requests that are not answered. */
  get running(): number {
    return this.#running.size;
  }

  request(message: RequestMessage): void {
    const { id } = message;
    if (id <= this.#lastId) return this.#options.broken(breach(`request ${id} comes after request ${this.#lastId}`));
    this.#lastId = id;
    try {
      this.#begin(message);
    } catch (error) {
      this.#fail(id, error);
    }
  }

  /** One that is answered already is nothing to call off. */
  cancel(id: number): void {
    this.#running.get(id)?.cancel(calledOff());
  }

  credit(id: number, items: number): void {
    const outlet = this.#running.get(id)?.outlet;
    if (!outlet) return;
    const wrong = outlet.grant(items);
    if (wrong !== undefined) this.#options.broken(breach(wrong));
  }

  drained(): void {
    for (const { outlet } of this.#running.values()) outlet?.pump();
  }

  end(why: NfError): void {
    this.#end = why;
    for (const { leave } of this.#running.values()) leave(why);
    this.#running.clear();
  }

  #begin(message: RequestMessage): void {
    const { methods, requestsMax } = this.#options;
    const { id, method: name, key, credit } = message;
    if (this.#running.size >= requestsMax)
      throw new NfError("rpc.busy", `${requestsMax} requests are under way, which is all that are taken at once`, { fix: "Try again when one has ended." });
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (!method) throw new NfError("rpc.method", `no method '${safeText(name, 64)}' is served here`, { given: name, allowed: Object.keys(methods).join(", ") });
    const params = method.params.safeParse(message.params);
    if (!params.success) throw new NfError("rpc.params", `${name}: ${firstIssue(params.error)}`, { fix: "Mend the parameters." });
    if (method.kind === "stream") return this.#stream(message, method, params.data, credit ?? CREDIT_MAX);
    const deadlineMs = message.deadline_ms ?? method.deadlineMs;
    if (method.keyed && key === undefined)
      throw new NfError("rpc.idempotency", `'${name}' changes something, and has no idempotency key`, { fix: "Give each such request a key of its own." });
    if (!method.keyed) this.#read(id, name, params.data, deadlineMs);
    else this.#change(id, name, params.data, key!, deadlineMs);
  }

  #read(id: number, name: string, params: unknown, deadlineMs: number): void {
    const abort = new AbortController();
    const cancelEnd = this.#options.clock.after(deadlineMs, () => abort.abort(pastDeadline()));
    this.#running.set(id, { cancel: (why) => abort.abort(why), leave: (why) => abort.abort(why) });
    void this.#answer(id, this.#call(name, params, { signal: abort.signal, key: undefined }), cancelEnd);
  }

  #change(id: number, name: string, params: unknown, key: string, deadlineMs: number): void {
    const { outcomes, peer } = this.#options;
    const share: Share = outcomes.share({ peer: peer.name, key, method: name, params, deadlineMs }, (signal) => this.#call(name, params, { signal, key }));
    this.#running.set(id, { cancel: share.cancel, leave: share.leave });
    void this.#answer(id, share.outcome, share.leave);
  }

  #stream(message: RequestMessage, method: StreamMethod, params: unknown, credit: number): void {
    const { wire, clock, outlet: limits = OUTLET } = this.#options;
    const { id, method: name, deadline_ms: deadlineMs } = message;
    const abort = new AbortController();
    const stop = (why: NfError): void => {
      abort.abort(why);
      outlet.end(why);
    };
    const check = (item: unknown): unknown => {
      const checked = method.item.safeParse(item);
      if (checked.success) return checked.data;
      throw new NfError("rpc.result", `${name}: ${firstIssue(checked.error)}`);
    };
    const outlet = new Outlet({ id, wire, clock, credit, check, limits, slow: stop });
    const cancelEnd = deadlineMs === undefined ? undefined : clock.after(deadlineMs, () => stop(pastDeadline()));
    this.#running.set(id, { cancel: stop, leave: stop, outlet });
    const done = this.#call(name, params, { signal: abort.signal, key: undefined }, outlet).then(async (result) => {
      await outlet.flushed();
      return result;
    });
    void this.#answer(id, done, () => {
      cancelEnd?.();
      outlet.end(new NfError("rpc.closed", "the stream has ended"));
    });
  }

  /** A result that is not what the method promises is a fault of this side, and is said to be one. */
  async #call(name: string, params: unknown, request: Omit<Request, "peer">, sink?: Sink<unknown>): Promise<unknown> {
    const { methods, handlers, peer } = this.#options;
    const handler = handlers[name] as (params: unknown, ...more: unknown[]) => Promise<unknown>;
    const whole: Request = { ...request, peer };
    const result = methods[name]!.result.safeParse(await (sink ? handler(params, sink, whole) : handler(params, whole)));
    if (result.success) return result.data;
    throw new NfError("rpc.result", `${name}: ${firstIssue(result.error)}`);
  }

  async #answer(id: number, outcome: Promise<unknown>, cleanUp: () => void): Promise<void> {
    try {
      const result = await outcome;
      cleanUp();
      if (this.#end) return;
      this.#options.wire.send({ t: "result", id, result });
    } catch (error) {
      cleanUp();
      if (this.#end) return;
      this.#fail(id, error);
    } finally {
      this.#running.delete(id);
    }
  }

  #fail(id: number, error: unknown): void {
    try {
      this.#options.wire.send({ t: "error", id, error: errorJson(error) });
    } catch {
      // What cannot even be said: an error that is longer than a frame, or has text that is none.
      this.#options.wire.send({ t: "error", id, error: { code: "internal", message: "the answer cannot be sent" } });
    }
  }
}
