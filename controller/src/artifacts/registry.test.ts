import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { buildNf } from "@nfactor/sdk/build";
import { describe, expect, test } from "vitest";
import { openMemoryStore } from "../store/index.ts";
import { artifactOf, chunked, sha256 } from "./testing/artifacts.ts";
import { inTurns } from "./testing/interleaving.ts";
import { openTestRegistry } from "./testing/registry.ts";
import { ArtifactRegistry } from "./registry.ts";

const refusal = (code: string, message = /./) =>
  expect.objectContaining({ name: "NfError", code, message: expect.stringMatching(message) as string, fix: expect.any(String) as string });
const files = (folder: string): string[] =>
  ["uploads", "sha256"]
    .flatMap((name) => readdirSync(join(folder, name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()))
    .map(({ name }) => name);
/** Of one length, so that their artifacts have one size. */
const NAMES = ["firewall", "balancer"];
const MAP = Buffer.from('{"version":3,"sources":[],"names":[],"mappings":""}');

describe("an upload", () => {
  test("is there as it was pushed: bytes, map, and what admission found", async () => {
    const { registry, push, folder } = await openTestRegistry();
    const bytes = await artifactOf({ build: 2 });
    const { version, created } = await push({ build: 2 }, { sourceMap: chunked(MAP) });
    expect(created).toBe(true);
    expect(version.name).toBe("blue/firewall/1.0.0");
    expect(version.object).toMatchObject({
      artifact: { digest: sha256(bytes), bytes: bytes.byteLength },
      sourceMap: { digest: sha256(MAP), bytes: MAP.byteLength },
      manifest: { name: "firewall", version: "1.0.0", rights: { view: "headers" } },
      state: { version: 0, bytes: 0 },
      uploader: "ann",
      uploadedMs: 1_000_000,
    });
    expect(version.object.module.digest).not.toBe(version.object.artifact.digest);
    expect(sha256(await registry.component(version.object))).toBe(sha256(bytes));
    expect(Buffer.from((await registry.sourceMap(version.object))!)).toEqual(MAP);
    expect(await registry.schemas(version.object)).toMatchObject({ state: { bytes: 0, fields: [] }, config: { type: "object", properties: {} } });
    expect(await registry.usage("blue")).toEqual({ bytes: bytes.byteLength + MAP.byteLength, versions: 1 });
    expect(files(folder).sort()).toEqual([sha256(bytes), sha256(MAP)].sort());
  });

  test("of an NF of ours, admitted in a process of its own, has its layout and its configuration", async () => {
    const { store, folder } = await openTestRegistry();
    const registry = await ArtifactRegistry.open({ store, folder, sources: [] });
    const built = await buildNf(resolve(import.meta.dirname, "../../../nf-wasm/rate_limiter"));
    const upload = { tenant: "blue", uploader: "ann", component: chunked(built.component), sourceMap: chunked(readFileSync(built.sourceMap)) };
    const { version } = await registry.upload(upload);
    const { state, config } = await registry.schemas(version.object);
    expect(state.fields.map(({ name }) => name)).toContain("credit");
    expect([state.digest, state.bytes]).toEqual([version.object.state.digest, version.object.state.bytes]);
    expect(Object.keys(config.properties)).toContain("packetsPerSecond");
    const junk = { tenant: "blue", uploader: "ann", component: chunked(Buffer.from("no wasm")) };
    await expect(registry.upload(junk)).rejects.toEqual(refusal("admission.refused", /no WebAssembly file/));
    expect(files(folder).length).toBe(2);
  });

  test("of the same artifact again is the same version", async () => {
    const { registry, push, store } = await openTestRegistry();
    const first = await push({}, { sourceMap: chunked(MAP) });
    const { revision } = await store.status();
    expect(await push({}, { sourceMap: chunked(MAP), uploader: "bob" })).toEqual({ version: first.version, created: false });
    expect(await push()).toEqual({ version: first.version, created: false });
    expect((await registry.usage("blue")).versions).toBe(1);
    // Only its use was written.
    expect((await store.status()).revision).toBe(revision + 2);
  });

  test("of another artifact under the same version is refused, and nothing of it stays", async () => {
    const { registry, push, folder } = await openTestRegistry();
    const { version } = await push();
    const before = files(folder);
    await expect(push({ build: 1 })).rejects.toEqual(refusal("artifact.version_taken", /firewall@1\.0\.0 already, with another artifact/));
    await expect(push({}, { sourceMap: chunked(MAP) })).rejects.toEqual(refusal("artifact.version_taken", /with another source map/));
    expect(files(folder)).toEqual(before);
    expect(await registry.resolve("blue", "firewall@1.0.0")).toEqual(version);
    expect(await registry.usage("blue")).toEqual({ bytes: version.object.artifact.bytes, versions: 1 });
  });

  test("by many at once makes one version, and every other one its own", async () => {
    const { registry, push } = await openTestRegistry({ limits: { uploads: 100, uploadsPerTenant: 100 } });
    const same = await Promise.all(Array.from({ length: 5 }, () => push()));
    expect(same.filter(({ created }) => created).length).toBe(1);
    expect(new Set(same.map(({ version }) => version.version)).size).toBe(1);
    const clash = await Promise.allSettled([1, 2, 3].map((build) => push({ version: "2.0.0", build })));
    expect(clash.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
    await Promise.all([3, 4, 5, 6, 7].map((minor) => push({ version: `1.${minor}.0` })));
    expect((await registry.usage("blue")).versions).toBe(7);
    expect((await registry.nfs("blue")).items).toEqual([{ name: "firewall", newest: "2.0.0", versions: 7 }]);
    expect(await registry.check()).toEqual([]);
  });

  test("may be announced, and is refused when it is something else", async () => {
    const { push, folder } = await openTestRegistry();
    const digest = sha256(await artifactOf());
    await expect(push({}, { expect: { digest: sha256(MAP) } })).rejects.toEqual(refusal("artifact.mismatch", /digest is/));
    await expect(push({}, { expect: { nf: "nat44" } })).rejects.toEqual(refusal("artifact.mismatch", /NF is firewall, nat44 was announced/));
    await expect(push({}, { expect: { version: "1.0.1" } })).rejects.toEqual(refusal("artifact.mismatch"));
    await expect(push({}, { expect: { nf: "../x" } })).rejects.toEqual(refusal("artifact.name"));
    await expect(push({}, { expect: { digest: "\u001b[2J" } })).rejects.toEqual(refusal("artifact.mismatch", /\\u\{1b\}\[2J was announced/));
    expect(files(folder)).toEqual([]);
    expect((await push({}, { expect: { digest, nf: "firewall", version: "1.0.0" } })).created).toBe(true);
  });

  test("asks for no more rights than the operator lets the tenant's NFs have", async () => {
    const grant = { view: "headers", edit: "none", reshape: false, reply: false, emits: 0 } as const;
    const { push, folder } = await openTestRegistry({ grantOf: (tenant) => (tenant === "blue" ? grant : "all") });
    const build = { more: { rights: { edit: "headers", emits: 2 } } } as const;
    await expect(push(build)).rejects.toEqual(refusal("config.rights", /asks for 'edit: headers, emits: 2'/));
    expect(files(folder)).toEqual([]);
    expect((await push(build, { tenant: "green" })).created).toBe(true);
    expect((await push()).created).toBe(true);
  });

  test("is bounded by the tenant's quota, exactly, whoever else pushes meanwhile", async () => {
    const bytes = (await artifactOf()).byteLength;
    const { registry, push, folder } = await openTestRegistry({
      // One in which they meet: what is read is old when it is written.
      store: inTurns(openMemoryStore(), () => setTimeout(3)),
      quotaOf: () => ({ bytes: 3 * bytes + 10, versions: 10 }),
      limits: { uploadsPerTenant: 8 },
    });
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map((patch) => push({ name: NAMES[patch % 2]!, version: `1.0.${patch}` })));
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(3);
    expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: refusal("artifact.quota", /bytes of artifacts/) });
    expect([await registry.usage("blue"), files(folder).length]).toEqual([{ bytes: 3 * bytes, versions: 3 }, 3]);
    // Another tenant's is its own. What is deleted makes room.
    expect((await push({ version: "1.0.1" }, { tenant: "green" })).created).toBe(true);
    const [nf] = (await registry.nfs("blue")).items;
    await registry.delete("blue", `${nf!.name}@${nf!.newest}`);
    expect((await push({ version: "1.1.0" })).created).toBe(true);
    await expect(push({ version: "1.2.0" })).rejects.toEqual(refusal("artifact.quota"));
  });

  test("is bounded in versions, of the tenant and of the NF", async () => {
    const { push } = await openTestRegistry({ quotaOf: () => ({ bytes: 1e9, versions: 3 }), limits: { versionsPerNf: 2 } });
    await push({ version: "1.0.0" });
    await push({ version: "1.0.1" });
    await expect(push({ version: "1.0.2" })).rejects.toEqual(refusal("artifact.quota", /3 versions of blue\/firewall/));
    await push({ name: "nat44" });
    await expect(push({ name: "monitor" })).rejects.toEqual(refusal("artifact.quota", /4 versions of NFs/));
    expect((await push({ version: "1.0.1" })).created).toBe(false);
  });

  test("waits for no room among others, and for no sender without end", async () => {
    const { registry, push, clock, folder } = await openTestRegistry({ limits: { uploads: 2, uploadsPerTenant: 1, uploadMs: 1000 } });
    async function* silent(): AsyncGenerator<Uint8Array> {
      yield MAP;
      await new Promise(() => undefined);
    }
    const slow = push({}, { component: silent() });
    await expect(push()).rejects.toEqual(refusal("artifact.busy", /1 uploads of tenant blue/));
    const abort = new AbortController();
    const other = registry.upload({ tenant: "green", uploader: "eve", component: silent(), signal: abort.signal });
    await expect(push({}, { tenant: "red" })).rejects.toEqual(refusal("artifact.busy", /^2 uploads are/));
    abort.abort(new Error("the connection was closed"));
    await expect(other).rejects.toEqual(refusal("artifact.aborted", /connection was closed/));
    clock.advance(1000);
    await expect(slow).rejects.toEqual(refusal("artifact.aborted", /longer than 1000 ms/));
    expect(files(folder)).toEqual([]);
    expect((await push()).created).toBe(true);
  });

  test("that the store has no room for leaves nothing", async () => {
    const { push, folder } = await openTestRegistry({ store: openMemoryStore({ limits: { bytes: 200 } }) });
    await expect(push()).rejects.toEqual(refusal("store.full"));
    expect(files(folder)).toEqual([]);
  });

  test("brings no text that a terminal would obey", async () => {
    const { push } = await openTestRegistry();
    const more = { description: "Counts\n\u001b[2Jpackets\u202e" };
    const { version } = await push({ more }, { uploader: "ann\u001b]0;x\u0007" });
    expect(version.object.manifest.description).toBe("Counts \ufffd[2Jpackets\ufffd");
    expect(version.object.uploader).toBe("ann\\u{1b}]0;x\\u{7}");
    for (const tenant of ["", "..", "a/b", "Blue", "\u001b[2J", "x".repeat(64)]) await expect(push({}, { tenant })).rejects.toEqual(refusal("artifact.name"));
  });
});

describe("a version", () => {
  test("is found by name, number and digest, in its own tenant only", async () => {
    const { registry, push } = await openTestRegistry();
    const [a, b, rc] = [await push({ version: "1.2.0" }), await push({ version: "1.10.0" }), await push({ version: "2.0.0-rc.1" })];
    expect(await registry.resolve("blue", "firewall")).toEqual(b.version);
    expect(await registry.resolve("blue", "firewall@1.2.0")).toEqual(a.version);
    expect(await registry.resolve("blue", `firewall@sha256:${rc.version.object.artifact.digest}`)).toEqual(rc.version);
    expect(await registry.resolve("blue", `firewall@sha256:${rc.version.object.artifact.digest.slice(0, 12)}`)).toEqual(rc.version);
    for (const reference of ["nat44", "firewall@3.0.0", "firewall@sha256:000000000000"])
      await expect(registry.resolve("blue", reference)).rejects.toEqual(refusal("artifact.not_found", new RegExp(`blue has no ${reference}`)));
    await expect(registry.resolve("green", "firewall")).rejects.toEqual(refusal("artifact.not_found"));
    await expect(registry.resolve("blue", "../green/firewall")).rejects.toEqual(refusal("artifact.name"));
  });

  test("is not guessed when a digest's beginning fits two", async () => {
    const { registry, push, store } = await openTestRegistry();
    const { version } = await push();
    const digest = version.object.artifact.digest;
    // Two that begin alike are not to be had, so the NF is given a second one in the store.
    const other = `${digest.slice(0, 20)}${"0".repeat(44)}`;
    await store.txn({
      then: [
        {
          op: "put",
          key: "artifacts/nfs/blue/firewall",
          value: Buffer.from(JSON.stringify({ version: 1, object: { versions: { "1.0.0": digest, "1.0.1": other } } })),
        },
      ],
    });
    await expect(registry.resolve("blue", `firewall@sha256:${digest.slice(0, 20)}`)).rejects.toEqual(refusal("artifact.ambiguous", /2 digests/));
    expect((await registry.resolve("blue", `firewall@sha256:${digest.slice(0, 21)}`)).name).toBe(version.name);
  });

  test("is listed with the others page by page, the highest first", async () => {
    const { registry, push } = await openTestRegistry();
    for (const version of ["1.2.0", "1.10.0", "2.0.0-rc.1"]) await push({ version });
    for (const name of ["acl", "nat44"]) await push({ name });
    await push({ name: "zebra" }, { tenant: "green" });
    const names = ({ items }: { items: readonly { name: string }[] }) => items.map(({ name }) => name.split("/").at(-1));
    const page = await registry.versions("blue", "firewall", { limit: 2 });
    expect([names(page), page.next]).toEqual([["2.0.0-rc.1", "1.10.0"], "1.10.0"]);
    const rest = await registry.versions("blue", "firewall", { limit: 2, after: page.next });
    expect([names(rest), rest.next]).toEqual([["1.2.0"], undefined]);
    const nfs = await registry.nfs("blue", { limit: 2 });
    expect([names(nfs), nfs.next]).toEqual([["acl", "firewall"], "firewall"]);
    expect(names(await registry.nfs("blue", { after: nfs.next }))).toEqual(["nat44"]);
    expect(await registry.nfs("red")).toMatchObject({ items: [], next: undefined });
    await expect(registry.versions("blue", "firewall", { limit: 0 })).rejects.toEqual(refusal("store.limit"));
    await expect(registry.versions("blue", "firewall", { after: "x" })).rejects.toEqual(refusal("artifact.name"));
    await expect(registry.versions("blue", "nothing")).rejects.toEqual(refusal("artifact.not_found"));
    await expect(registry.nfs("blue", { limit: 1e9 })).rejects.toEqual(refusal("store.limit"));
  });

  test("that cannot be read keeps nobody from the others, and is not collected", async () => {
    const { registry, push, store, folder, date } = await openTestRegistry();
    for (const version of ["1.0.0", "1.1.0", "1.2.0"]) await push({ version });
    await store.txn({ then: [{ op: "put", key: "artifacts/versions/blue/firewall/1.1.0", value: Buffer.from("{") }] });
    await store.txn({ then: [{ op: "put", key: "artifacts/uses/blue/firewall/1.2.0", value: Buffer.from("{") }] });
    const { items, unreadable } = await registry.versions("blue", "firewall");
    expect([items.length, unreadable.length]).toEqual([2, 1]);
    await registry.collect({ graceMs: 0, keep: 0 });
    date.nowMs += 1;
    expect((await registry.collect({ graceMs: 0, keep: 0 })).versions).toEqual(["blue/firewall/1.0.0"]);
    expect(files(folder).length).toBe(2);
  });

  test("whose blob is damaged is refused, named, and healed by the same push", async () => {
    const { registry, push, folder } = await openTestRegistry();
    const { version } = await push();
    const { digest } = version.object.artifact;
    const path = join(folder, "sha256", digest.slice(0, 2), digest);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    await expect(registry.component(version.object)).rejects.toEqual(refusal("artifact.damaged"));
    await expect(registry.schemas(version.object)).rejects.toEqual(refusal("artifact.damaged"));
    expect(await registry.check()).toEqual([refusal("artifact.damaged", /^blue\/firewall\/1\.0\.0: the blob sha256:/)]);
    expect((await push()).created).toBe(false);
    expect([await registry.check(), (await registry.component(version.object)).byteLength]).toEqual([[], bytes.length]);
  });
});

describe("deletion", () => {
  test("takes the version, its blobs unless others have them, and its room", async () => {
    const { registry, push, folder, store } = await openTestRegistry();
    await push({}, { sourceMap: chunked(MAP) });
    await push({ version: "1.1.0" }, { sourceMap: chunked(MAP) });
    await push({}, { tenant: "green" });
    const { digest } = (await registry.resolve("blue", "firewall@1.0.0")).object.artifact;
    await registry.delete("blue", "firewall@1.1.0");
    expect(files(folder).sort()).toEqual([digest, sha256(MAP)].sort());
    await registry.delete("blue", `firewall@sha256:${digest.slice(0, 12)}`);
    expect(files(folder)).toEqual([digest]);
    expect([await registry.usage("blue"), (await registry.nfs("blue")).items]).toEqual([{ bytes: 0, versions: 0 }, []]);
    await registry.delete("green", "firewall@1.0.0");
    expect([files(folder), registry.bytes, (await store.status()).entries]).toEqual([[], 0, 0]);
    await expect(registry.delete("green", "firewall@1.0.0")).rejects.toEqual(refusal("artifact.not_found"));
    await expect(registry.delete("green", "firewall")).rejects.toEqual(refusal("artifact.name", /which version/));
    // The number is free again.
    expect((await push({ build: 3 })).created).toBe(true);
  });

  test("is refused while it is in use, by its own digest or by its module's, and while that is not known", async () => {
    const { registry, push, inUse, store, folder } = await openTestRegistry();
    const { object } = (await push()).version;
    for (const digest of [object.artifact.digest, object.module.digest]) {
      inUse.push({ digest, by: "chain blue/web" });
      await expect(registry.delete("blue", "firewall@1.0.0")).rejects.toEqual(refusal("artifact.in_use", /is used by chain blue\/web/));
      inUse.length = 0;
    }
    for (const references of [() => Promise.reject(new Error("no connection")), async () => [{ digest: "x", by: "y" }]]) {
      const other = await ArtifactRegistry.open({ store, folder, sources: [{ name: "the host list", references }] });
      await expect(other.delete("blue", "firewall@1.0.0")).rejects.toEqual(refusal("artifact.uncertain", /the host list cannot say/));
      await expect(other.collect({ graceMs: 0, keep: 0 })).rejects.toEqual(refusal("artifact.uncertain"));
    }
    await registry.delete("blue", "firewall@1.0.0");
  });

  test("loses against who begins to use it meanwhile, and wins before", async () => {
    const { store, folder, push } = await openTestRegistry();
    const { version } = await push();
    let meanwhile = async (): Promise<void> => undefined;
    const sources = [{ name: "the test", references: async () => (await meanwhile(), []) }];
    const registry = await ArtifactRegistry.open({ store, folder, sources });
    meanwhile = () => registry.use(version);
    await expect(registry.delete("blue", "firewall@1.0.0")).rejects.toEqual(refusal("artifact.busy"));
    meanwhile = () => {
      meanwhile = async () => undefined;
      return registry.delete("blue", "firewall@1.0.0");
    };
    await expect(registry.delete("blue", "firewall@1.0.0")).rejects.toEqual(refusal("artifact.not_found"));
    await expect(registry.use(version)).rejects.toEqual(refusal("artifact.not_found", /deleted meanwhile/));
    // Somebody else's under the same number is not the one that was found before.
    await push({ build: 1 });
    await expect(registry.use(version)).rejects.toEqual(refusal("artifact.not_found"));
    const deploy = { if: registry.using(version).if, then: [...registry.using(version).then, { op: "put", key: "chains/web", value: MAP } as const] };
    expect((await store.txn(deploy)).succeeded).toBe(false);
  });
});

describe("collection", () => {
  test("takes what nobody used for the grace, and neither the last ones nor what is used", async () => {
    const { registry, push, inUse, date, folder } = await openTestRegistry();
    const pushed = [];
    for (const version of ["3.0.0", "1.0.0", "1.1.0", "1.2.0"]) pushed.push((await push({ version })).version);
    inUse.push({ digest: pushed[1]!.object.artifact.digest, by: "chain blue/web" });
    const options = { graceMs: 1000, keep: 1 };
    expect((await registry.collect(options)).stay).toEqual({ inUse: 1, kept: 1, marked: 2, contested: 0 });
    date.nowMs += 999;
    expect((await registry.collect(options)).versions).toEqual([]);
    // One that is pushed again was wanted by somebody just now; one that was used and is so no more begins anew.
    await push({ version: "1.1.0" });
    date.nowMs += 1;
    expect((await registry.collect(options)).versions).toEqual(["blue/firewall/3.0.0"]);
    inUse.length = 0;
    date.nowMs += 999;
    expect((await registry.collect(options)).versions).toEqual([]);
    date.nowMs += 1;
    expect(await registry.collect(options)).toMatchObject({ versions: ["blue/firewall/1.1.0"], blobs: 1, bytes: pushed[2]!.object.artifact.bytes });
    date.nowMs += 999;
    expect(await registry.collect(options)).toMatchObject({ versions: ["blue/firewall/1.0.0"], stay: { inUse: 0, kept: 1, marked: 0, contested: 0 } });
    expect(files(folder)).toEqual([pushed[3]!.object.artifact.digest]);
  });

  test("takes what was in use only when it was found unused for the whole grace, also when the date is set back", async () => {
    const { registry, push, inUse, date } = await openTestRegistry();
    const { object } = (await push()).version;
    const options = { graceMs: 1000, keep: 0 };
    await registry.collect(options);
    date.nowMs += 1000;
    inUse.push({ digest: object.artifact.digest, by: "host h1" });
    expect((await registry.collect(options)).stay.inUse).toBe(1);
    inUse.length = 0;
    expect((await registry.collect(options)).stay.marked).toBe(1);
    date.nowMs -= 500_000;
    expect((await registry.collect(options)).stay.marked).toBe(1);
    date.nowMs += 999;
    expect((await registry.collect(options)).versions).toEqual([]);
    date.nowMs += 1;
    expect((await registry.collect(options)).versions.length).toBe(1);
  });

  test("takes blobs that no version has when they are old, and what ended uploads have left", async () => {
    const { store, folder, push } = await openTestRegistry();
    const { version } = await push();
    const stray = Buffer.from("nobody's");
    writeFileSync(join(folder, "uploads/x.part"), "x");
    const two = join(folder, "sha256", sha256(stray).slice(0, 2));
    mkdirSync(two, { recursive: true });
    writeFileSync(join(two, sha256(stray)), stray);
    const again = await ArtifactRegistry.open({ store, folder, sources: [] });
    writeFileSync(join(folder, "uploads/y.part"), "y");
    expect(await again.collect({ graceMs: 3_600_000, keep: 1 })).toMatchObject({ blobs: 0 });
    expect(files(folder).sort()).toEqual([version.object.artifact.digest, sha256(stray)].sort());
    expect(await again.collect({ graceMs: 0, keep: 1 })).toMatchObject({ blobs: 1, bytes: stray.byteLength });
    expect(files(folder)).toEqual([version.object.artifact.digest]);
    expect(again.bytes).toBe(version.object.artifact.bytes);
  });

  test("goes on once at a time", async () => {
    const { registry, push } = await openTestRegistry();
    await push();
    const [a, b] = [registry.collect(), registry.collect()];
    expect(await a).toBe(await b);
    expect(registry.collect()).not.toBe(a);
  });
});
