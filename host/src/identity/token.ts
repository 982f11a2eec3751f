/**
 * Join tokens: `nfj1.<id>.<secret>.<fingerprint>`. The fingerprint is that of the controller's authority, so that the host knows whom it may tell the secret;
 * it never leaves the host. Letters, digits, '-' and '_' only: a token can be selected with a double click and put on a command line.
 */
import { NfError } from "@nfactor/sdk/errors";

const TOKEN = /^nfj1\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

export interface JoinToken {
  readonly id: string;
  readonly secret: string;
  /** SHA-256 of the authority's certificate, base64url. */
  readonly fingerprint: string;
}

/** Throws NfError (rpc.join). */
export function parseToken(text: string): JoinToken {
  const [, id, secret, fingerprint] = TOKEN.exec(text.trim()) ?? [];
  // Not even a part of it is shown: it may be a good one with a letter missing.
  if (id === undefined) throw new NfError("rpc.join", "this is no join token", { allowed: "nfj1.….….…, as the controller printed it", fix: "Copy all of it." });
  return { id, secret: secret!, fingerprint: fingerprint! };
}

export function tokenText({ id, secret, fingerprint }: JoinToken): string {
  return `nfj1.${id}.${secret}.${fingerprint}`;
}
