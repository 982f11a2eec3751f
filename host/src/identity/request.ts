/** Requests for certificates (PKCS #10). A key never leaves the machine that made it. */
// A polyfill that the certificate library's own parts ask for when they are loaded.
import "reflect-metadata";
import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

/** One kind of key and signature for everything: nothing to agree on. */
export const KEY = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A new private key, as PEM. */
export function makePrivateKey(): string {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

export async function webKeys(privateKeyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(privateKeyPem);
  const load = (one: KeyObject, format: "pkcs8" | "spki", usage: "sign" | "verify"): Promise<webcrypto.CryptoKey> =>
    webcrypto.subtle.importKey(format, one.export({ type: format, format: "der" } as never) as unknown as Buffer, KEY, true, [usage]);
  return { privateKey: await load(key, "pkcs8", "sign"), publicKey: await load(createPublicKey(key), "spki", "verify") };
}

/** PEM. The name is for people; what a certificate says is decided by who issues it. */
export async function makeRequest(privateKeyPem: string, name: string): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({ name: [{ CN: [name] }], keys: await webKeys(privateKeyPem), signingAlgorithm: KEY });
  return request.toString("pem");
}
