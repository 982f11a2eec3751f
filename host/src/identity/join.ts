/** How a host gets its certificate: the first for a token, the next for the one it has. */
import { createHash, X509Certificate } from "node:crypto";
import { NfError } from "@nfactor/sdk/errors";
import type { Endpoint } from "../config/endpoint.ts";
import { dial } from "../session/greet.ts";
import type { CONTROLLER_METHODS, HOST_METHODS } from "../session/host_methods.ts";
import { GUEST_METHODS } from "../session/host_methods.ts";
import { GREETING_FRAME } from "../session/messages.ts";
import { type Session, type SessionOptions, serve } from "../session/session.ts";
import { connectController, findAuthority } from "./connect.ts";
import { type Identity, requireOwn } from "./identity.ts";
import { makePrivateKey, makeRequest } from "./request.ts";
import { parseToken } from "./token.ts";

export type ControllerSession = Session<typeof CONTROLLER_METHODS>;
export type HostSession = Session<typeof HOST_METHODS>;

/**
 * Rejects with NfError (rpc.join, rpc.untrusted, rpc.unreachable, …). Give the same `privateKey` when it is tried again, since an answer may have got lost on
 * its way: a token is good for one key.
 */
export async function join(
  endpoint: Endpoint,
  token: string,
  privateKey = makePrivateKey(),
  options: Pick<SessionOptions<typeof GUEST_METHODS>, "clock" | "greetingMs"> = {},
): Promise<Identity> {
  const { id, secret, fingerprint } = parseToken(token);
  const authority = await findAuthority(endpoint, fingerprint);
  const socket = await connectController(endpoint, { authorities: [authority] });
  const session = await dial(socket, serve({}, {}), { ...options, calls: GUEST_METHODS, name: "", format: GREETING_FRAME });
  try {
    const { host, certificate, authorities } = await session.call("join", { token: `${id}.${secret}`, request: await makeRequest(privateKey, "host") });
    return checked({ v: 1, host, private_key: privateKey, certificate, authorities });
  } finally {
    session.close();
  }
}

/** Another certificate, for a new key. The one that the session was made with stays good for its time. Rejects as Session.call() does. */
export async function renew(session: Pick<ControllerSession, "call">, { host }: Identity): Promise<Identity> {
  const privateKey = makePrivateKey();
  const request = await makeRequest(privateKey, host);
  const key = createHash("sha256").update(request).digest("hex");
  const { certificate, authorities } = await session.call("renew", { request }, { key });
  return checked({ v: 1, host, private_key: privateKey, certificate, authorities });
}

function checked(identity: Identity): Identity {
  try {
    for (const pem of identity.authorities) new X509Certificate(pem);
    requireOwn(identity);
    return identity;
  } catch (cause) {
    throw new NfError("rpc.result", "the controller's answer holds no certificate for this host", { cause });
  }
}
