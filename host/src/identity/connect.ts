/** Connections to the controller: over the socket of this machine, or over TLS 1.3 with certificates of both sides. */
import { X509Certificate } from "node:crypto";
import { type Socket, connect as connectSocket } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from "node:tls";
import { NfError } from "@nfactor/sdk/errors";
import type { Endpoint } from "../config/endpoint.ts";
import { safeText } from "../result/text.ts";
import { fingerprintOf } from "./identity.ts";

/**
 * What the controller's certificate is for, whatever address it has: addresses change, and the authority issues for nobody else. Hosts' certificates have
 * other names, and are no servers'.
 */
export const CONTROLLER_NAME = "controller.nfactor.internal";
const CONNECT_MS = 10_000;
const KEEPALIVE_MS = 10_000;

export interface Trust {
  readonly authorities: readonly string[];
  /** Without: as a guest, who may only join. */
  readonly own?: { readonly private_key: string; readonly certificate: string } | undefined;
}

/** Rejects with NfError (rpc.unreachable). */
export function connectUnix(path: string): Promise<Socket> {
  return opened(connectSocket(path), "connect", path);
}

/** Rejects with NfError (rpc.unreachable, rpc.untrusted). */
export async function connectController(endpoint: Endpoint, { authorities, own }: Trust): Promise<TLSSocket> {
  const credentials = own ? { key: own.private_key, cert: own.certificate } : {};
  return openTls(endpoint, { ca: [...authorities], servername: CONTROLLER_NAME, ...credentials });
}

/**
 * The certificate of the authority that has this fingerprint, from whoever answers there. Nothing is said to it: whether it is the controller is found out
 * by the connection that follows, which trusts only this authority. Rejects with NfError (rpc.unreachable, rpc.untrusted).
 */
export async function findAuthority(endpoint: Endpoint, fingerprint: string): Promise<string> {
  const socket = await openTls(endpoint, { rejectUnauthorized: false, servername: CONTROLLER_NAME });
  try {
    const seen = new Set<string>();
    let one: ReturnType<typeof socket.getPeerCertificate> | undefined = socket.getPeerCertificate(true);
    // The issuer of the last one is itself.
    while (one?.raw && !seen.has(one.fingerprint256)) {
      seen.add(one.fingerprint256);
      const certificate = new X509Certificate(one.raw);
      if (fingerprintOf(certificate) === fingerprint) return certificate.toString();
      one = (one as { issuerCertificate?: typeof one }).issuerCertificate;
    }
  } finally {
    socket.destroy();
  }
  throw new NfError("rpc.untrusted", `whoever answers at ${endpointText(endpoint)} is not the controller that the token is of`, {
    allowed: `an authority with the fingerprint ${fingerprint}`,
    fix: "Check the address. If it is right, somebody else answers there, or the token is of another controller: get a new one.",
  });
}

function openTls(endpoint: Endpoint, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ host: endpoint.host, port: endpoint.port, minVersion: "TLSv1.3", ...options });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_MS);
  return opened(socket, "secureConnect", endpointText(endpoint));
}

function opened<S extends Socket>(socket: S, event: "connect" | "secureConnect", where: string): Promise<S> {
  return new Promise((done, fail) => {
    const give = (code: "rpc.unreachable" | "rpc.untrusted", why: string, cause?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      const fix =
        code === "rpc.untrusted" ? "Check the address; if it is right, join again." : "See whether the controller runs, and whether its address is right.";
      fail(new NfError(code, `${where}: ${why}`, { cause, fix }));
    };
    const timer = setTimeout(() => give("rpc.unreachable", "no answer"), CONNECT_MS);
    const failed = (error: Error): void => give(isDistrust(error) ? "rpc.untrusted" : "rpc.unreachable", safeText(error.message, 200), error);
    const closed = (): void => give("rpc.unreachable", "the connection was closed");
    socket.once("error", failed);
    socket.once("close", closed);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off("close", closed);
      // Errors that come before somebody reads belong to the reader, who hears of the end by `close`.
      socket.off("error", failed).on("error", () => undefined);
      done(socket);
    });
  });
}

/** Of the other side's certificate. */
function isDistrust({ code = "" }: NodeJS.ErrnoException): boolean {
  return /CERT|SELF_SIGNED|VERIFY|ISSUER|ALTNAME|PURPOSE/.test(code);
}

export function endpointText({ host, port }: Endpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
