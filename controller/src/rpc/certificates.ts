/** Certificates, as X.509 wants them. What goes into one is decided here alone; of a request only its key is taken, and the proof that the sender has it. */
// A polyfill that the certificate library's own parts ask for when they are loaded.
import "reflect-metadata";
import { X509Certificate as Certificate, createHash, randomBytes, type webcrypto } from "node:crypto";
import { CONTROLLER_NAME, KEY, makePrivateKey, webKeys } from "@nfactor/host/identity";
import { NfError } from "@nfactor/sdk/errors";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const DAY_MS = 86_400_000;
export const AUTHORITY_MS = 3650 * DAY_MS;
/** Of hosts and of the controller itself. Renewed when two thirds have passed, so a controller may be away for ten days. */
export const CERTIFICATE_MS = 30 * DAY_MS;
/** Clocks differ: a certificate is good from this much before it was made. */
const EARLIER_MS = 300_000;

export interface IssuingKey {
  readonly certificate: string;
  readonly private_key: string;
}

export interface Issued {
  readonly certificate: string;
  /** 32 hex digits. */
  readonly serial: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A new authority: its certificate signs itself, and may sign only certificates that sign none. */
export async function makeAuthority(name: string, nowMs: number): Promise<IssuingKey> {
  const private_key = makePrivateKey();
  const keys = await webKeys(private_key);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [name] }],
    ...periodOf(nowMs, AUTHORITY_MS),
    keys,
    signingAlgorithm: KEY,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), private_key };
}

/** For a host: a client's, by its name. */
export async function issueForHost(by: IssuingKey, host: string, key: PublicKey, nowMs: number): Promise<Issued> {
  return issue(by, host, key, nowMs, ExtendedKeyUsage.clientAuth, []);
}

/** For the controller: a server's, with the name that all hosts ask for. */
export async function issueForController(by: IssuingKey, nowMs: number): Promise<Issued & { readonly private_key: string }> {
  const private_key = makePrivateKey();
  const name = new SubjectAlternativeNameExtension([{ type: "dns", value: CONTROLLER_NAME }]);
  return { ...(await issue(by, "controller", (await webKeys(private_key)).publicKey, nowMs, ExtendedKeyUsage.serverAuth, [name])), private_key };
}

async function issue(
  by: IssuingKey,
  name: string,
  publicKey: PublicKey | webcrypto.CryptoKey,
  nowMs: number,
  usage: ExtendedKeyUsage,
  more: SubjectAlternativeNameExtension[],
): Promise<Issued> {
  const authority = new X509Certificate(by.certificate);
  const serial = newSerial();
  const { notBefore, notAfter } = periodOf(nowMs, CERTIFICATE_MS);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    subject: [{ CN: [name] }],
    issuer: authority.subjectName,
    ...{ notBefore, notAfter, publicKey, signingAlgorithm: KEY },
    signingKey: (await webKeys(by.private_key)).privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage], true),
      await AuthorityKeyIdentifierExtension.create(authority.publicKey),
      await SubjectKeyIdentifierExtension.create(publicKey),
      ...more,
    ],
  });
  return { certificate: certificate.toString("pem"), serial, fromMs: notBefore.getTime(), untilMs: notAfter.getTime() };
}

/** The key that is to be certified, and its digest. Throws NfError (rpc.params) unless it is one of ours, and signed by its owner. */
export async function readRequest(pem: string): Promise<{ readonly key: PublicKey; readonly digest: string }> {
  try {
    const request = new Pkcs10CertificateRequest(pem);
    const { name, namedCurve } = request.publicKey.algorithm as { name: string; namedCurve?: string };
    if (name === KEY.name && namedCurve === KEY.namedCurve && (await request.verify()))
      return { key: request.publicKey, digest: createHash("sha256").update(Buffer.from(request.publicKey.rawData)).digest("hex") };
  } catch {
    // Said below: what a stranger has sent is not worth more words.
  }
  throw new NfError("rpc.params", "this is no request for a certificate", { allowed: "PKCS #10 in PEM, for an ECDSA key on P-256, signed with it" });
}

/** Subject and serial of a certificate that was verified. */
export function subjectOf(raw: Buffer): { readonly name: string; readonly serial: string; readonly fromMs: number; readonly untilMs: number } {
  const { subject, serialNumber, validFrom, validTo } = new Certificate(raw);
  const name = /^CN=([^\n]*)$/.exec(subject)?.[1] ?? "";
  return { name, serial: serialNumber.toLowerCase().padStart(32, "0"), fromMs: Date.parse(validFrom), untilMs: Date.parse(validTo) };
}

/** 127 random bits: positive, and never the same twice. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return bytes.toString("hex");
}

/** To the second, as certificates have it. */
function periodOf(nowMs: number, lengthMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const second = Math.floor(nowMs / 1000) * 1000;
  return { notBefore: new Date(second - EARLIER_MS), notAfter: new Date(second + lengthMs) };
}
