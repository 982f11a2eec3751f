/**
 * A host's link to its controller, over either transport, and with it the host's certificate: it is renewed in time, and when the controller trusts other
 * authorities than the host. Each attempt to connect reads the identity anew, so that a host which was made to join again needs no restart.
 */
import { NfError } from "@nfactor/sdk/errors";
import { type Clock, systemClock } from "../clock/clock.ts";
import type { Endpoint } from "../config/endpoint.ts";
import { dial } from "../session/greet.ts";
import { CONTROLLER_METHODS, HOST_METHODS } from "../session/host_methods.ts";
import { type Backoff, Link } from "../session/link.ts";
import type { Handlers } from "../session/method.ts";
import { Outcomes } from "../session/outcomes.ts";
import { type SessionOptions, serve } from "../session/session.ts";
import { connectController, connectUnix } from "./connect.ts";
import { digestOfAuthorities, isDue, readIdentity, writeIdentity } from "./identity.ts";
import { type ControllerSession, renew } from "./join.ts";

/** Often enough for certificates of a month. */
const LOOK_MS = 3_600_000;

export type Way =
  | { readonly path: string; readonly name: string }
  /** `identity`: path of the file that join() was for. */
  | { readonly endpoint: Endpoint; readonly identity: string };

export interface ControllerLinkOptions {
  readonly way: Way;
  readonly handlers: Handlers<typeof HOST_METHODS>;
  readonly onSession?: (session: ControllerSession) => void;
  readonly onTrouble?: (why: NfError, retryMs: number) => void;
  readonly clock?: Clock;
  /** The time of day. */
  readonly nowMs?: () => number;
  readonly random?: () => number;
  readonly backoff?: Backoff;
  readonly session?: Partial<SessionOptions<typeof CONTROLLER_METHODS>>;
}

export class ControllerLink extends Link<typeof CONTROLLER_METHODS> {
  readonly #options: ControllerLinkOptions;
  readonly #time: Clock;
  #cancelLook: () => void = () => undefined;
  #isStopped = false;

  constructor(options: ControllerLinkOptions) {
    const { clock = systemClock } = options;
    const outcomes = new Outcomes(clock);
    super({ ...options, connect: () => connect(options, clock, outcomes) });
    this.#options = options;
    this.#time = clock;
  }

  override start(): void {
    super.start();
    this.#look();
  }

  override async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelLook();
    await super.stop();
  }

  /**
   * A new certificate, if the one there is is due, or the controller trusts others than this host: `authorities` is what `keep_alive` has said. True if there
   * was one; the session is then made anew. Rejects with NfError.
   */
  async renewIfDue(authorities?: string): Promise<boolean> {
    const { way, nowMs = Date.now } = this.#options;
    if (!("identity" in way)) return false;
    const identity = readIdentity(way.identity);
    if (!identity) return false;
    const isOld = authorities !== undefined && authorities !== digestOfAuthorities(identity.authorities);
    if (!isOld && !isDue(identity, nowMs())) return false;
    const session = this.current;
    if (!session) return false;
    writeIdentity(way.identity, await renew(session, identity));
    this.renew();
    return true;
  }

  #look(): void {
    if (this.#isStopped) return;
    this.#cancelLook = this.#time.after(LOOK_MS, () => {
      this.renewIfDue()
        .catch((error: unknown) => this.#options.onTrouble?.(error as NfError, LOOK_MS))
        .finally(() => this.#look());
    });
  }
}

async function connect({ way, handlers, session }: ControllerLinkOptions, clock: Clock, outcomes: Outcomes): Promise<ControllerSession> {
  const served = serve(HOST_METHODS, handlers);
  const options = { clock, outcomes, calls: CONTROLLER_METHODS, ...session };
  if ("path" in way) return dial(await connectUnix(way.path), served, { ...options, name: way.name });
  const identity = readIdentity(way.identity);
  if (!identity) throw new NfError("rpc.certificate", `there is no identity at ${way.identity}`, { fix: "Join first, with a token from the controller." });
  const socket = await connectController(way.endpoint, { authorities: identity.authorities, own: identity });
  return dial(socket, served, { ...options, name: identity.host });
}
