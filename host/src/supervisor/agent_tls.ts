/**
 * Connections between a supervisor and an agent: TLS with a key that both have in a file. So each knows the other, nobody else is let in, and what is said,
 * the keys of the members' links among it, stays between them, also if the file is lost later (the exchange is ephemeral).
 */
import { readFileSync, statSync } from "node:fs";
import type { Server } from "node:net";
import { type TLSSocket, type TlsOptions, connect, createServer } from "node:tls";
import { NfError } from "@nfactor/sdk/errors";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import type { Endpoint } from "../config/endpoint.ts";
import { safeText } from "../result/text.ts";
import { AGENT_VERSION, GREETINGS, type Greeting, HELLO_BYTES_MAX, type Purpose, greetingSchema } from "./agent_messages.ts";

const IDENTITY = "nfactor-agent-1";
const TLS: TlsOptions = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ciphers: "ECDHE-PSK-CHACHA20-POLY1305" };
export const HANDSHAKE_MS = 5_000;
const KEEPALIVE_MS = 10_000;

/** Throws NfError (usage) unless the file is there, nobody else's to read, and holds a key. */
export function readKey(path: string): Buffer {
  const fix = `Make one with '(umask 077; openssl rand -hex 32 > ${path})', and copy it to the other machine.`;
  let text: string;
  try {
    const { mode, uid } = statSync(path);
    const wrong = uid !== (process.getuid?.() ?? uid) ? `belongs to user ${uid}` : (mode & 0o077) !== 0 ? "is open to other users" : undefined;
    if (wrong) throw new NfError("usage", `the key file ${path} ${wrong}`, { fix: `Run 'chown $(id -u) ${path} && chmod 600 ${path}', or make a new one.` });
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    if (error instanceof NfError) throw error;
    throw new NfError("usage", `the key file ${path} cannot be read: ${(error as Error).message}`, { cause: error, fix });
  }
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new NfError("usage", `the key file ${path} holds no key`, { allowed: "64 hex digits", fix });
  return Buffer.from(text, "hex");
}

/** Listens. Rejects with NfError (host.socket). `onRefused` hears why somebody was not let in. */
export function listenTls(
  { host, port }: Endpoint,
  key: Buffer,
  onConnection: (socket: TLSSocket) => void,
  onRefused: (from: string, why: string) => void,
): Promise<Server> {
  const server = createServer({
    ...TLS,
    handshakeTimeout: HANDSHAKE_MS,
    pskIdentityHint: IDENTITY,
    pskCallback: (_, identity) => (identity === IDENTITY ? key : null),
  });
  server.on("secureConnection", (socket) => {
    prepare(socket);
    onConnection(socket);
  });
  server.on("tlsClientError", (error, socket) => {
    // Node leaves it open, also after a handshake that took too long.
    onRefused(socket.remoteAddress ?? "somebody", whyNot(error));
    socket.destroy();
  });
  return new Promise((done, fail) => {
    server.once("error", (cause) => fail(new NfError("host.socket", `nobody can listen on ${host} port ${port}: ${cause.message}`, { cause })));
    server.listen(port, host, () => done(server));
  });
}

/** Connects, says what for, and reads whether it may be. Rejects with NfError: host.socket, or the agent's own. */
export async function connectAgent<P extends Purpose>(
  { host, port }: Endpoint,
  key: Buffer,
  who: string,
  tenant: { host: string; tenancy: string },
  purpose: P,
  deadlineMs = HANDSHAKE_MS,
): Promise<{ socket: TLSSocket; greeting: Greeting<P["for"]> }> {
  const socket = connect({ ...TLS, host, port, checkServerIdentity: () => undefined, pskCallback: () => ({ psk: key, identity: IDENTITY }) });
  prepare(socket);
  try {
    await new Promise<void>((done, fail) => {
      const timer = setTimeout(() => fail(new NfError("host.socket", `${who} does not answer`)), HANDSHAKE_MS);
      socket.once("close", () => {
        clearTimeout(timer);
        fail(new NfError("host.socket", `${who} has closed the connection`));
      });
      socket.once("error", (cause) => fail(new NfError("host.socket", `${who} is not reachable: ${whyNot(cause)}`, { cause })));
      socket.once("secureConnect", () => {
        clearTimeout(timer);
        done();
      });
    });
    socket.write(`${JSON.stringify({ v: AGENT_VERSION, ...tenant, ...purpose })}\n`);
    const answer = await readAnswer(socket, who, deadlineMs);
    const greeting = GREETINGS[purpose.for].safeParse(answer);
    if (!greeting.success) throw new NfError("host.socket", `${who} says what is not understood`, { given: safeText(JSON.stringify(answer), 200) });
    return { socket, greeting: greeting.data as Greeting<P["for"]> };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** One line that says ok or what is wrong. Rejects with NfError. */
export async function readAnswer(socket: TLSSocket, who: string, deadlineMs: number): Promise<unknown> {
  const line = await readLine(socket, who, deadlineMs);
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    json = undefined;
  }
  const answer = greetingSchema.safeParse(json);
  if (!answer.success) throw new NfError("host.socket", `${who} says what is not understood`, { given: safeText(line, 200) });
  if ("error" in answer.data) throw agentError(answer.data.error, who);
  return answer.data.ok;
}

/** An agent's error as the project's own. */
export function agentError({ code, message }: { code: string; message: string }, who: string): NfError {
  const text = `${who}: ${safeText(message, 1000)}`;
  return Object.hasOwn(ERROR_CODES, code) ? new NfError(code as ErrorCode, text) : new NfError("internal", `${text} (${safeText(code, 64)})`);
}

/** The first line of what comes; what is behind it stays in the socket. Rejects with NfError (host.socket). */
export function readLine(socket: TLSSocket, who: string, deadlineMs: number): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((done, fail) => {
    const end = (): void => {
      clearTimeout(timer);
      socket.pause();
      socket.off("data", take).off("close", closed);
    };
    const closed = (): void => {
      end();
      fail(new NfError("host.socket", `${who} has closed the connection`));
    };
    const take = (chunk: Buffer): void => {
      const at = chunk.indexOf(10);
      chunks.push(at < 0 ? chunk : chunk.subarray(0, at));
      const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
      if (at < 0 && bytes <= 4 * HELLO_BYTES_MAX) return;
      end();
      if (at < 0) return fail(new NfError("host.socket", `${who} says more than a line`));
      if (at + 1 < chunk.length) socket.unshift(chunk.subarray(at + 1));
      done(Buffer.concat(chunks).toString("utf8"));
    };
    const timer = setTimeout(() => {
      end();
      fail(new NfError("host.socket", `${who} says nothing`));
    }, deadlineMs);
    socket.on("data", take).on("close", closed);
    if (socket.destroyed) closed();
    else socket.resume();
  });
}

/** A connection may break at any time; its end is told by `close`. */
function prepare(socket: TLSSocket): void {
  socket.on("error", () => undefined);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_MS);
}

function whyNot(error: Error): string {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (code.startsWith("ERR_SSL_") && code !== "ERR_SSL_WRONG_VERSION_NUMBER") return "the two sides have different keys";
  return safeText(error.message.split("\n")[0] ?? "", 200);
}
