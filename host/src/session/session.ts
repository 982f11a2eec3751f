/**
 * A connection between controller and host on which both ask and both serve. It begins with greetings, which find the version that both speak, and ends with
 * the connection: what is under way then fails with the reason, what was done under a key may be asked for again on the next one.
 */
import { NfError } from "@nfactor/sdk/errors";
import { type Clock, systemClock } from "../clock/clock.ts";
import type { FrameFormat } from "../rpc/frame.ts";
import { errorOfPeer } from "../rpc/peer_error.ts";
import { errorJson } from "../rpc/protocol.ts";
import { safeText } from "../result/text.ts";
import { type CallOptions, Calling, type OnCalled, QUEUED_MAX, type StreamOptions } from "./calling.ts";
import type { Inlet } from "./inlet.ts";
import * as messages from "./messages.ts";
import type { CallName, Handlers, ItemOf, Methods, ParamsOf, Peer, ResultOf, StreamName } from "./method.ts";
import type { OutletLimits } from "./outlet.ts";
import { Outcomes } from "./outcomes.ts";
import { breach } from "./breach.ts";
import { PULSE, Pulse, type PulseTimes } from "./pulse.ts";
import { Serving } from "./serving.ts";
import type { Tap, Wire } from "./wire.ts";

/** Requests of the other side that are served at once. */
export const REQUESTS_MAX = 64;

/** What one end serves to another: made by serve(), which knows that both belong together. */
export interface Served {
  readonly methods: Methods;
  readonly handlers: Readonly<Record<string, unknown>>;
}

export function serve<S extends Methods>(methods: S, handlers: Handlers<S>): Served {
  return { methods, handlers };
}

export interface SessionOptions<C extends Methods> {
  /** What the other end serves. */
  readonly calls: C;
  /** How this end is called. */
  readonly name: string;
  /** What is remembered under keys; the same for all connections of a process that serve the same. */
  readonly outcomes?: Outcomes;
  readonly clock?: Clock;
  readonly versions?: messages.VersionRange;
  readonly requests?: number;
  readonly queued?: number;
  readonly pulse?: PulseTimes;
  readonly outlet?: OutletLimits;
  readonly greetingMs?: number;
  readonly life?: string;
  /** Each call of this end that has ended, streams left out. */
  readonly onCalled?: OnCalled;
  /** Smaller than usual, where the other end may be anybody. */
  readonly format?: FrameFormat;
  /** Hears what is said on each session, from its greetings' end on. */
  readonly tap?: (peer: Peer) => Tap;
}

/** Who is let in, and what is served to it. */
export interface Admitted {
  readonly serves: Served;
  readonly name: string;
  readonly serial?: string | undefined;
  readonly format?: FrameFormat | undefined;
}

export interface Agreed {
  readonly version: number;
  readonly peer: Peer;
  /** That the other side takes at once. */
  readonly requests: number;
}

export class Session<C extends Methods = Methods> {
  readonly version: number;
  readonly peer: Peer;
  /** Resolves with the reason when the connection has ended; never rejects. */
  readonly closed: Promise<NfError>;
  #close!: (why: NfError) => void;
  readonly #wire: Wire;
  readonly #serving: Serving;
  readonly #calling: Calling<C>;
  readonly #pulse: Pulse;
  #end: NfError | undefined;

  /** See dial() and accept() in greet.ts. */
  constructor(wire: Wire, { version, peer, requests }: Agreed, serves: Served, options: SessionOptions<C>) {
    const { clock = systemClock, requests: requestsMax = REQUESTS_MAX, queued = QUEUED_MAX, outcomes = new Outcomes(clock) } = options;
    this.version = version;
    this.peer = peer;
    this.closed = new Promise((done) => (this.#close = done));
    this.#wire = wire;
    wire.format = options.format ?? messages.FRAME;
    wire.tap = options.tap?.(peer);
    const broken = (why: NfError): void => this.close(why);
    this.#serving = new Serving({ ...serves, peer, wire, clock, outcomes, requestsMax, outlet: options.outlet, broken });
    this.#calling = new Calling(options.calls, wire, clock, { requests, queued }, options.onCalled);
    this.#pulse = new Pulse(
      clock,
      options.pulse ?? PULSE,
      (n) => this.#wire.send({ t: "ping", n }),
      (silentMs) =>
        this.#wire.destroy(
          new NfError("rpc.lost", `'${safeText(peer.name, 64)}' has not been heard of for ${Math.round(silentMs / 1000)} s`, {
            fix: "See whether it runs, and whether the network between is whole.",
          }),
        ),
    );
  }

  /** Rejects with what the other side's handler threw, or NfError of the area rpc. */
  call<N extends CallName<C>>(name: N, params: ParamsOf<C[N]>, options?: CallOptions): Promise<ResultOf<C[N]>> {
    return this.#calling.call(name, params, options);
  }

  /** Items for one loop; see Inlet. */
  open<N extends StreamName<C>>(name: N, params: ParamsOf<C[N]>, options?: StreamOptions): Inlet<ItemOf<C[N]>, ResultOf<C[N]>> {
    return this.#calling.open(name, params, options);
  }

  /** Requests: served, asked and not answered, and not yet sent. */
  get load(): { readonly served: number; readonly asked: number; readonly queued: number } {
    return { served: this.#serving.running, asked: this.#calling.pending, queued: this.#calling.queued };
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** Says why, and ends. What is under way fails. */
  close(why?: NfError): void {
    const reason = why ?? new NfError("rpc.closed", "this side has closed the connection");
    this.#wire.close(reason, why ? { t: "bye", error: errorJson(why) } : { t: "bye" });
  }

  /** From the wire. */
  message(received: unknown): void {
    this.#pulse.heard();
    const parsed = messages.message.safeParse(received);
    try {
      if (!parsed.success) throw breach("a message that is none of this version");
      this.#take(parsed.data);
    } catch (error) {
      if (!(error instanceof NfError)) throw error;
      this.close(error);
    }
  }

  /** From the wire. */
  drained(): void {
    this.#serving.drained();
  }

  /** From the wire. */
  ended(why: NfError): void {
    if (this.#end) return;
    this.#end = why;
    this.#pulse.stop();
    this.#serving.end(why);
    this.#calling.end(why);
    this.#close(why);
  }

  #take(message: messages.Message): void {
    switch (message.t) {
      case "request":
        return this.#serving.request(message);
      case "cancel":
        return this.#serving.cancel(message.id);
      case "credit":
        return this.#serving.credit(message.id, message.items);
      case "item":
        return this.#calling.item(message.id, message.item);
      case "gap":
        return this.#calling.gap(message.id, message.lost);
      case "result":
        return this.#calling.result(message.id, message.result);
      case "error":
        return this.#calling.error(message.id, errorOfPeer(message.error));
      case "ping":
        return this.#wire.send({ t: "pong", n: message.n });
      case "pong":
        return;
      case "bye":
        return this.#wire.destroy(reasonOf(message));
    }
  }
}

/** Why the other side has ended it. */
export function reasonOf({ error }: messages.Bye): NfError {
  return error ? errorOfPeer(error) : new NfError("rpc.closed", "the other side has closed the connection", { fix: "Ask again when it is back." });
}
