/** What a host is known by to its controller, and whom it trusts to be the controller: one file, this user's alone, replaced as a whole. */
import { X509Certificate, createHash, createPrivateKey } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import { writeDurably } from "../durable_file.ts";

const identitySchema = z.strictObject({
  v: z.literal(1),
  host: z.string().min(1),
  private_key: z.string(),
  certificate: z.string(),
  /** Certificates of the controller's authorities; several while one follows another. */
  authorities: z.array(z.string()).min(1),
});
export type Identity = z.output<typeof identitySchema>;

const JOIN_AGAIN = "Join again, with a new token from the controller.";

/** Undefined when there is none. Throws NfError (rpc.certificate) when it is damaged, or others may read it. */
export function readIdentity(path: string): Identity | undefined {
  let text: string;
  try {
    const { mode, uid } = statSync(path);
    const wrong = uid !== (process.getuid?.() ?? uid) ? `belongs to user ${uid}` : (mode & 0o077) !== 0 ? "is open to other users" : undefined;
    if (wrong) throw new NfError("rpc.certificate", `the host's identity ${path} ${wrong}`, { fix: `Remove it. ${JOIN_AGAIN}` });
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (error instanceof NfError) throw error;
    throw new NfError("rpc.certificate", `the host's identity ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    const identity = identitySchema.parse(JSON.parse(text));
    requireOwn(identity);
    return identity;
  } catch (cause) {
    throw new NfError("rpc.certificate", `the host's identity ${path} is damaged`, { cause, fix: `Remove it. ${JOIN_AGAIN}` });
  }
}

/** On disk when this returns. Throws what the file system does. */
export function writeIdentity(path: string, identity: Identity): void {
  writeDurably(path, JSON.stringify(identity));
}

/** What was issued is what was asked for: for this key, by one of the authorities. Throws NfError (rpc.certificate). */
export function requireOwn({ private_key, certificate, authorities }: Identity): void {
  const own = new X509Certificate(certificate);
  if (!own.checkPrivateKey(createPrivateKey(private_key))) throw new NfError("rpc.certificate", "the certificate is for another key", { fix: JOIN_AGAIN });
  if (!authorities.some((pem) => own.verify(new X509Certificate(pem).publicKey)))
    throw new NfError("rpc.certificate", "the certificate is another authority's", { fix: JOIN_AGAIN });
}

/** SHA-256 of a certificate, base64url: how people and tokens name an authority. */
export function fingerprintOf(certificate: X509Certificate): string {
  return createHash("sha256").update(certificate.raw).digest("base64url");
}

/** Of all of them, hex, in whatever order: whether two sides trust the same ones. */
export function digestOfAuthorities(authorities: readonly string[]): string {
  const fingerprints = authorities.map((pem) => fingerprintOf(new X509Certificate(pem))).sort();
  return createHash("sha256").update(fingerprints.join("\n")).digest("hex");
}

/** Two thirds of its time have passed: early enough for a controller that is away for days. */
export function isDue({ certificate }: Identity, nowMs: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate);
  const [fromMs, toMs] = [Date.parse(validFrom), Date.parse(validTo)];
  return nowMs >= fromMs + ((toMs - fromMs) * 2) / 3;
}
