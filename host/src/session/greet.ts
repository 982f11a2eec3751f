/** How a session begins: who has connected says hello, the other one looks at it and says welcome. Until then frames are short, and time is. */
import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { NfError } from "@nfactor/sdk/errors";
import { systemClock } from "../clock/clock.ts";
import { VERSION } from "../package.ts";
import { errorJson } from "../rpc/protocol.ts";
import { safeText } from "../result/text.ts";
import * as messages from "./messages.ts";
import type { Methods, Peer } from "./method.ts";
import { breach } from "./breach.ts";
import { type Admitted, REQUESTS_MAX, type Served, Session, type SessionOptions, reasonOf } from "./session.ts";
import { pickVersion } from "./version.ts";
import { Wire } from "./wire.ts";

/** Of this process. */
const LIFE = randomUUID();
const GREETING_MS = 10_000;

function greetingOf({ name, requests = REQUESTS_MAX, life = LIFE }: SessionOptions<Methods>): Omit<messages.Hello, "t" | "versions"> {
  return { name, software: VERSION, life, requests };
}

/** Greets on a connection that this side has made. Rejects with NfError: rpc.version, rpc.lost, rpc.closed, rpc.protocol, or why the other side refuses. */
export function dial<C extends Methods>(socket: Duplex, serves: Served, options: SessionOptions<C>): Promise<Session<C>> {
  const { versions = messages.VERSIONS } = options;
  return begin(
    socket,
    options,
    (wire, received, done) => {
      const parsed = messages.second.safeParse(received);
      if (!parsed.success) throw breach("its first message is no welcome");
      if (parsed.data.t === "bye") return wire.destroy(reasonOf(parsed.data));
      const { version, name, software, life, requests } = parsed.data;
      if (version < versions.min || version > versions.max) throw breach(`it wants version ${version}, which was not offered`);
      done(new Session(wire, { version, requests, peer: { name, software, life } }, serves, options));
    },
    (wire) => wire.send({ t: "hello", versions, ...greetingOf(options) }),
  );
}

/** Greets whoever has connected, when `admit` lets it in. Rejects as dial() does, and with what `admit` throws, which the other side is told. */
export function accept<C extends Methods>(
  socket: Duplex,
  admit: (hello: messages.Hello) => Promise<Admitted>,
  options: SessionOptions<C>,
): Promise<Session<C>> {
  const { versions = messages.VERSIONS } = options;
  let hasGreeted = false;
  return begin(socket, options, async (wire, received, done) => {
    if (hasGreeted) throw breach("it does not wait to be welcomed");
    hasGreeted = true;
    const parsed = messages.first.safeParse(received);
    if (!parsed.success) throw breach("its first message is no hello");
    const greeted = parsed.data;
    if (greeted.t === "bye") return wire.destroy(reasonOf(greeted));
    const version = pickVersion(versions, greeted.versions);
    const { serves, name, serial, format } = await admit(greeted);
    const { software, life, requests } = greeted;
    wire.send({ t: "welcome", version, ...greetingOf(options) });
    const peer: Peer = { name, software: safeText(software, 64), life, serial };
    done(new Session(wire, { version, requests, peer }, serves, { ...options, ...(format ? { format } : {}) }));
  });
}

/** Until there is a session, messages go to `first`; after that to the session, also those of the same chunk. */
function begin<C extends Methods>(
  socket: Duplex,
  { clock = systemClock, greetingMs = GREETING_MS }: SessionOptions<C>,
  first: (wire: Wire, received: unknown, done: (session: Session<C>) => void) => void | Promise<void>,
  say?: (wire: Wire) => void,
): Promise<Session<C>> {
  return new Promise((resolve, reject) => {
    const wire = new Wire(socket, messages.GREETING_FRAME, clock);
    let session: Session<C> | undefined;
    const cancel = clock.after(greetingMs, () => wire.destroy(new NfError("rpc.lost", `no greeting within ${greetingMs / 1000} s`)));
    const done = (made: Session<C>): void => {
      cancel();
      session = made;
      if (wire.end) made.ended(wire.end);
      resolve(made);
    };
    const refuse = (error: unknown): void =>
      wire.close(error instanceof NfError ? error : new NfError("internal", String(error)), { t: "bye", error: errorJson(error) });
    wire.listen({
      message: (received) => {
        if (session) return session.message(received);
        try {
          first(wire, received, done)?.catch(refuse);
        } catch (error) {
          refuse(error);
        }
      },
      drained: () => session?.drained(),
      ended: (why) => {
        cancel();
        if (session) session.ended(why);
        else reject(why);
      },
    });
    say?.(wire);
  });
}
