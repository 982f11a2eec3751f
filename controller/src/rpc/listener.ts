/**
 * Where hosts come in: a socket of this machine, and TLS 1.3 for the others. One session for each host, the newest; a host that comes back before its old
 * connection is known to be dead would else be kept out. Who shows no certificate is a guest, who may join and do nothing else, for a short time.
 *
 * Bounded: sessions, connections that are no session yet, their time and the length of what they say.
 */
import { rmSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { type Server as TlsServer, type TLSSocket, createServer as createTlsServer } from "node:tls";
import { constants } from "node:crypto";
import { type Clock, systemClock } from "@nfactor/host/clock";
import { type HostSession, endpointText } from "@nfactor/host/identity";
import { listenPrivately } from "@nfactor/host/private_socket";
import {
  type Admitted,
  CONTROLLER_METHODS,
  GREETING_FRAME,
  GUEST_METHODS,
  HOST_METHODS,
  type Handlers,
  type Hello,
  Outcomes,
  type SessionOptions,
  SessionPlace,
  type Sessions,
  accept,
  serve,
} from "@nfactor/host/session";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import type { ServerCredentials } from "./authority.ts";
import { CERTIFICATE_MS } from "./certificates.ts";
import type { Enrolment, HostCertificate } from "./enrolment.ts";

export interface ListenerLimits {
  /** Hosts. */
  readonly sessions: number;
  /** Connections that are no host's session (yet): handshakes, greetings, guests. */
  readonly others: number;
  readonly handshakeMs: number;
  /** So long a guest may stay. */
  readonly guestMs: number;
}
export const LISTENER: ListenerLimits = { sessions: 1024, others: 64, handshakeMs: 10_000, guestMs: 30_000 };

export interface ListenerOptions {
  readonly enrolment: Enrolment;
  /** What hosts may ask for, besides what the enrolment serves. */
  readonly handlers: Omit<Handlers<typeof CONTROLLER_METHODS>, "renew">;
  readonly onSession?: (session: HostSession) => void;
  /** Who was not let in, and why. */
  readonly onRefused?: (from: string, why: NfError) => void;
  readonly clock?: Clock;
  /** The time of day. */
  readonly nowMs?: () => number;
  readonly limits?: Partial<ListenerLimits>;
  readonly session?: Partial<SessionOptions<typeof HOST_METHODS>>;
}

/** Timers take no more than some weeks, and machines sleep. */
const LOOK_MS = 3_600_000;
const HOST = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

interface Host {
  readonly place: SessionPlace<typeof HOST_METHODS>;
  /** Of the certificate that its session was made with. */
  certificate?: HostCertificate | undefined;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #clock: Clock;
  readonly #nowMs: () => number;
  readonly #limits: ListenerLimits;
  readonly #outcomes: Outcomes;
  readonly #hosts = new Map<string, Host>();
  readonly #servers = new Map<Server, () => void>();
  /** As they come in; under TLS, what lies below it. */
  readonly #sockets = new Set<Socket>();
  #tls: TlsServer | undefined;
  #credentials: ServerCredentials | undefined;
  #sessions = 0;
  #cancelLook: () => void;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#limits = { ...LISTENER, ...options.limits };
    this.#outcomes = new Outcomes(this.#clock);
    this.#cancelLook = this.#clock.after(LOOK_MS, () => this.#look());
  }

  /** Rejects with NfError (rpc.listen). */
  async listenUnix(path: string): Promise<void> {
    const server = createServer((socket) => void this.#takeUnix(socket));
    await listenPrivately(server, path, { code: "rpc.listen", who: "controller", fix: "End it, or give this one another folder." });
    this.#add(server, () => rmSync(path, { force: true }));
  }

  /** Resolves with the port, which the system chooses for 0. Rejects with NfError (rpc.listen). */
  async listenTls({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    if (this.#tls) throw new Error("listens already");
    this.#credentials = await this.#options.enrolment.authority.serverCredentials();
    const server = createTlsServer({
      ...secured(this.#credentials),
      minVersion: "TLSv1.3",
      // Before the handshake, whose small messages would else wait for each other.
      noDelay: true,
      // Every connection shows its certificate, and is looked at: there are no sessions of TLS that would be resumed.
      secureOptions: constants.SSL_OP_NO_TICKET,
      requestCert: true,
      // Who is refused is told why, in words; and a guest has none.
      rejectUnauthorized: false,
      handshakeTimeout: this.#limits.handshakeMs,
    });
    this.#tls = server;
    server.on("connection", (socket: Socket) => this.#count(socket));
    server.on("secureConnection", (socket) => void this.#takeTls(socket));
    server.on("tlsClientError", (error, socket) => {
      // Node leaves it open, also after a handshake that took too long.
      socket.destroy();
      // Who leaves within the handshake wants nothing: a host that joins has seen the authority by then.
      if ((error as NodeJS.ErrnoException).code === "ECONNRESET") return;
      this.#refused(socket.remoteAddress, new NfError("rpc.protocol", `no TLS: ${safeText(error.message.split("\n")[0]!, 200)}`));
    });
    await new Promise<void>((done, fail) => {
      server.once("error", (cause) => fail(new NfError("rpc.listen", `nobody can listen on ${endpointText({ host, port })}: ${cause.message}`, { cause })));
      server.listen(port, host, done);
    });
    this.#add(server, () => (this.#tls = undefined));
    return (server.address() as { port: number }).port;
  }

  /** The session of a host, when it has one, or as soon as it has: see callAgain(). */
  sessionsOf(host: string): Sessions<typeof HOST_METHODS> {
    return {
      session: (signal) => {
        const entry = this.#hosts.get(host) ?? { place: new SessionPlace() };
        this.#hosts.set(host, entry);
        return entry.place.session(signal).finally(() => this.#forgetIdle(host));
      },
    };
  }

  /** The session that a host has now. */
  sessionOf(host: string): HostSession | undefined {
    return this.#hosts.get(host)?.place.current;
  }

  /** Connections that were made with these certificates end. */
  end(host: string, serials: readonly string[]): void {
    const entry = this.#hosts.get(host);
    if (!entry?.certificate || !serials.includes(entry.certificate.serial)) return;
    entry.place.current?.close(revoked());
  }

  /** After a step of the authority: connections from now on see it. */
  async refresh(): Promise<void> {
    if (!this.#tls) return;
    this.#credentials = await this.#options.enrolment.authority.serverCredentials();
    this.#tls?.setSecureContext({ ...secured(this.#credentials), minVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET });
  }

  get counts(): { readonly sessions: number; readonly others: number } {
    return { sessions: this.#sessions, others: this.#sockets.size - this.#sessions };
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#cancelLook();
    const servers = [...this.#servers];
    this.#servers.clear();
    const closed = servers.map(([server]) => new Promise<void>((done) => server.close(() => done())));
    for (const { place } of this.#hosts.values()) place.current?.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
    for (const [, cleanUp] of servers) cleanUp();
  }

  #add(server: Server, cleanUp: () => void): void {
    server.maxConnections = this.#limits.sessions + this.#limits.others;
    server.on("error", (error) => this.#refused(undefined, new NfError("rpc.listen", error.message)));
    this.#servers.set(server, cleanUp);
  }

  /** False when there are too many that are nobody's yet: then it ends without a word, as words would keep it. */
  #count(socket: Socket): boolean {
    if (this.counts.others >= this.#limits.others) {
      socket.destroy();
      this.#refused(socket.remoteAddress, new NfError("rpc.busy", `${this.#limits.others} connections have only begun`, { fix: "Try again later." }));
      return false;
    }
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    return true;
  }

  async #takeUnix(socket: Socket): Promise<void> {
    if (!this.#count(socket)) return;
    await this.#greet(socket, "this machine", async ({ name }) => {
      if (!HOST.test(name))
        throw new NfError("rpc.protocol", "this cannot be a host's name", { given: safeText(name, 80), allowed: "letters, digits and _ . -" });
      return undefined;
    });
  }

  async #takeTls(socket: TLSSocket): Promise<void> {
    await this.#greet(socket, socket.remoteAddress ?? "somebody", async ({ name }) => {
      const certificate = await this.#options.enrolment.identify(socket);
      if (!certificate) return "guest";
      if (name === certificate.host) return certificate;
      throw new NfError("rpc.certificate", "the host's certificate is for another name", { given: safeText(name, 80), allowed: certificate.host });
    });
  }

  async #greet(socket: Socket, from: string, who: (hello: Hello) => Promise<HostCertificate | "guest" | undefined>): Promise<void> {
    let found: HostCertificate | "guest" | undefined;
    try {
      const session = await accept<typeof HOST_METHODS>(
        socket,
        async (hello) => {
          found = await who(hello);
          return found === "guest" ? this.#asGuest() : this.#asHost(hello.name, found?.serial);
        },
        { calls: HOST_METHODS, name: "controller", clock: this.#clock, outcomes: this.#outcomes, ...this.#options.session },
      );
      if (found === "guest") this.#keepGuest(session);
      else this.#keep(session, found);
    } catch (error) {
      this.#refused(from, error as NfError);
    }
  }

  #asGuest(): Admitted {
    return { serves: serve(GUEST_METHODS, this.#options.enrolment.guestHandlers), name: "", format: GREETING_FRAME };
  }

  #keepGuest(session: HostSession): void {
    const cancel = this.#clock.after(this.#limits.guestMs, () => session.close(new NfError("rpc.busy", "a guest may not stay", { fix: "Connect again." })));
    void session.closed.then(cancel);
  }

  #keep(session: HostSession, certificate: HostCertificate | undefined): void {
    const { name } = session.peer;
    if (!session.isOpen) return;
    const entry = this.#hosts.get(name) ?? { place: new SessionPlace() };
    this.#hosts.set(name, entry);
    entry.place.current?.close(
      new NfError("rpc.replaced", `another connection of host '${name}' has come`, { fix: "End the other one, if it should not be there." }),
    );
    this.#sessions += 1;
    entry.certificate = certificate;
    entry.place.set(session);
    this.#options.onSession?.(session);
    // It may have been revoked while it was greeted, when there was nothing to end yet.
    if (certificate)
      this.#options.enrolment.isGood(certificate).then(
        (isGood) => isGood || session.close(revoked()),
        (error: unknown) => session.close(error as NfError),
      );
    void session.closed.then(() => {
      this.#sessions -= 1;
      entry.place.clear(session);
      this.#forgetIdle(name);
    });
  }

  #asHost(name: string, serial?: string): Admitted {
    const { handlers, enrolment } = this.#options;
    if (this.#sessions >= this.#limits.sessions && !this.#hosts.get(name)?.place.current)
      throw new NfError("rpc.busy", `${this.#sessions} hosts are connected, which is all that may be`, { fix: "Raise the limit, or run another controller." });
    return { serves: serve(CONTROLLER_METHODS, { ...handlers, ...enrolment.hostHandlers }), name, serial };
  }

  #forgetIdle(name: string): void {
    if (this.#hosts.get(name)?.place.isIdle) this.#hosts.delete(name);
  }

  /** Certificates that have expired meanwhile, and the controller's own. */
  #look(): void {
    this.#cancelLook = this.#clock.after(LOOK_MS, () => this.#look());
    const nowMs = this.#nowMs();
    for (const { place, certificate } of this.#hosts.values())
      if (certificate && certificate.untilMs <= nowMs)
        place.current?.close(new NfError("rpc.certificate", "the host's certificate has expired", { fix: "Make a new token for the host, and join again." }));
    if (this.#credentials && this.#credentials.untilMs - nowMs < CERTIFICATE_MS / 3)
      this.refresh().catch((error: unknown) => this.#refused(undefined, error as NfError));
  }

  #refused(from: string | undefined, why: NfError): void {
    this.#options.onRefused?.(from ?? "somebody", why);
  }
}

const revoked = (): NfError => new NfError("rpc.certificate", "the host's certificate was revoked", { fix: "Make a new token for the host, and join again." });

function secured({ key, cert, ca }: ServerCredentials): { key: string; cert: string; ca: string[] } {
  return { key, cert, ca: [...ca] };
}
