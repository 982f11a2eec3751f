/** What is true of a registry at every moment, read from its store and its folder without its code. */
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "../../store/index.ts";
import { text } from "../../store/testing/stores.ts";
import type { NfVersion } from "../index.ts";
import { sha256 } from "./artifacts.ts";

export interface Seen {
  /** By `<tenant>/<nf>/<version>`. */
  readonly versions: ReadonlyMap<string, NfVersion>;
  /** All others in the store, by key. */
  readonly others: ReadonlyMap<string, unknown>;
  readonly entries: number;
  readonly blobs: readonly string[];
  readonly uploads: number;
  /** Of all files in the folder. */
  readonly bytes: number;
}

/** `prefix` says what of the store is looked at. */
export async function lookAt(store: Store, folder: string, prefix = ""): Promise<Seen> {
  const found = new Map<string, unknown>();
  let after: string | undefined;
  do {
    const page = await store.range({ prefix, after });
    for (const { key, value } of page.entries) found.set(key, JSON.parse(text(value)!));
    after = page.next;
  } while (after !== undefined);
  const versions = [...found].filter(([key]) => key.startsWith("artifacts/versions/"));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return {
    versions: new Map(versions.map(([key, value]) => [key.slice("artifacts/versions/".length), (value as { object: NfVersion }).object])),
    others: new Map([...found].filter(([key]) => !key.startsWith("artifacts/versions/"))),
    entries: found.size,
    blobs: files.filter(({ name }) => !name.endsWith(".part")).map(({ name }) => name),
    uploads: files.filter(({ name }) => name.endsWith(".part")).length,
    bytes: files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0),
  };
}

/** What is wrong: versions without their blobs, and objects that do not fit together. */
export function wrongIn({ versions, others }: Seen, folder: string): string[] {
  const wrong: string[] = [];
  const wanted = new Map<string, unknown>();
  const nfs = new Map<string, Record<string, string>>();
  const usage = new Map<string, { bytes: number; versions: number }>();
  for (const [name, version] of versions) {
    const [tenant, nf, number] = name.split("/") as [string, string, string];
    if (nf !== version.manifest.name || number !== version.manifest.version) wrong.push(`${name} is another one`);
    const account = usage.get(tenant) ?? { bytes: 0, versions: 0 };
    account.versions += 1;
    for (const { digest, bytes } of [version.artifact, ...(version.sourceMap ? [version.sourceMap] : [])]) {
      account.bytes += bytes;
      wanted.set(`artifacts/blobs/${digest}/${name}`, {});
      const path = join(folder, "sha256", digest.slice(0, 2), digest);
      if (!existsSync(path)) wrong.push(`${name} has no blob ${digest}`);
      else if (sha256(readFileSync(path)) !== digest) wrong.push(`${name}: its blob ${digest} is another one`);
    }
    usage.set(tenant, account);
    nfs.set(`${tenant}/${nf}`, { ...nfs.get(`${tenant}/${nf}`), [number]: version.artifact.digest });
  }
  for (const [name, versionsOfNf] of nfs) wanted.set(`artifacts/nfs/${name}`, { versions: sorted(versionsOfNf) });
  for (const [tenant, account] of usage) wanted.set(`artifacts/usage/${tenant}`, account);
  for (const [key, value] of others) {
    if (!key.startsWith("artifacts/")) continue;
    const { object } = value as { object: { versions: Record<string, string> } };
    if (key.startsWith("artifacts/uses/")) {
      if (!versions.has(key.slice("artifacts/uses/".length))) wrong.push(`${key} is there without its version`);
      continue;
    }
    const there = JSON.stringify(key.startsWith("artifacts/nfs/") ? { versions: sorted(object.versions) } : object);
    if (there !== JSON.stringify(wanted.get(key))) wrong.push(`${key} is ${there}, wanted ${JSON.stringify(wanted.get(key))}`);
    wanted.delete(key);
  }
  for (const name of versions.keys()) if (!others.has(`artifacts/uses/${name}`)) wrong.push(`${name} has no use`);
  return [...wrong, ...[...wanted.keys()].map((key) => `${key} is missing`)];
}

const sorted = (object: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
