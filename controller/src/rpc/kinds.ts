/** What the controller remembers of its authorities, of what they have issued, and of tokens. */
import { z } from "zod";
import type { Kind } from "../store/index.ts";

const time = z.number().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** `next`: hosts are told to trust it; `signing`: it issues; `past`: what it has issued is still good. */
const authority = z.strictObject({
  state: z.enum(["next", "signing", "past"]),
  certificate: z.string(),
  /** The key of all keys: whoever reads the store's file can make hosts and controllers. The file is its owner's alone. */
  private_key: z.string(),
  made_ms: time,
});
export type AuthorityObject = z.output<typeof authority>;
/** By the number of the authority. */
export const AUTHORITY: Kind<AuthorityObject> = { noun: "authority", prefix: "pki/authorities/", schema: authority, version: 1 };

const certificate = z.strictObject({
  /** Number of its authority. */
  authority: z.string(),
  /** Numbers of the authorities that its host was told to trust. */
  knows: z.array(z.string()),
  until_ms: time,
  revoked_ms: time.optional(),
});
export type CertificateObject = z.output<typeof certificate>;
/** By host and serial. One that is not here was never issued, or has expired. */
export const CERTIFICATE: Kind<CertificateObject> = { noun: "certificate", prefix: "pki/certificates/", segments: 2, schema: certificate, version: 1 };

const token = z.strictObject({
  host: z.string(),
  secret_sha256: sha256,
  until_ms: time,
  /** The key that it was used for, and what that got: who has lost the answer gets it again. */
  used: z.strictObject({ key_sha256: sha256, certificate: z.string() }).optional(),
});
export type TokenObject = z.output<typeof token>;
/** By its id. */
export const TOKEN: Kind<TokenObject> = { noun: "join token", prefix: "pki/tokens/", schema: token, version: 1 };
