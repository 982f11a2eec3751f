/** What is wanted is what is on disk, and who runs something else shows, be it a configuration alone. */
import { expect, test } from "vitest";
import type { NfSpec } from "../dataplane/native_types.ts";
import { Present } from "./present.ts";
import { newState } from "./state_file.ts";
import { type TenantSpec, nfWithoutCode, staleIn } from "./tenant_spec.ts";
import { WantedChain } from "./wanted_chain.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const rights = { view: "headers", edit: "none", reshape: false, reply: false, emits: 0, lease: false } as const;
const fixed = {
  entry: "fw",
  name: "firewall",
  native: bytes("code"),
  stateBytes: 8,
  stateDigest: "",
  heapPages: 1,
  leaseSize: 0,
  quarantine: "closed",
} as const;
const rest = { dropReasons: {}, counters: [], exports: [] };
const nf = (more: Partial<NfSpec> = {}): NfSpec =>
  ({ ...fixed, ...rest, version: "1.0.0", digest: "ab", rights, onFault: "close_flow", config: bytes("one"), ...more }) as unknown as NfSpec;
/** As a process says it that was given this. */
const said = (one: NfSpec) => nfWithoutCode(one) as { version: string; digest: string; mark: string };

test.each<[string, Partial<NfSpec>]>([
  ["a version", { version: "1.0.1" }],
  ["code", { digest: "cd" }],
  ["a configuration", { config: bytes("two") }],
  ["rights", { rights: { ...rights, edit: "headers" } }],
  ["a policy of faults", { onFault: "drop" }],
])("who runs another one shows, by %s alone", (_, more) => {
  expect(staleIn([nf(), nf(more)], [said(nf()), said(nf())])).toEqual([1]);
  expect(staleIn([nf(more)], [said(nf(more))])).toEqual([]);
});

test("of a process that does not know marks version and code are compared", () => {
  expect(staleIn([nf({ config: bytes("two") })], [{ ...said(nf()), mark: "" }])).toEqual([]);
  expect(staleIn([nf({ version: "2.0.0" })], [{ ...said(nf()), mark: "" }])).toEqual([0]);
  expect(staleIn([nf()], undefined)).toEqual([]);
});

test("what the disk does not take is not wanted; what is taken back is, whatever the disk says", () => {
  const spec = { eal: {}, agents: [], runtime: { chain: [nf()], flows: {}, input: { kind: "capture" } } } as unknown as TenantSpec;
  const state = newState({ tenant: 1, key: "" }, {}, { term: 0, lastIncarnation: 0, members: [], ended: [] });
  let isFull = false;
  const wanted = new WantedChain(spec, state, () => {
    if (isFull) throw new Error("no space left on device");
  });
  const present = new Present({ member: 1, incarnation: 1 }, wanted.generation);
  const next = nf({ config: bytes("two") });
  isFull = true;
  expect(() => wanted.set(0, next)).toThrow("no space left");
  expect(wanted.entries[0]).toEqual(nf());
  expect(wanted.isOutdated(present)).toBe(false);

  isFull = false;
  wanted.set(0, next);
  const configuration = state.runs["configuration of fw"];
  expect(wanted.entries[0]).toBe(next);
  expect(wanted.isOutdated(present)).toBe(true);
  isFull = true;
  wanted.takeBack(0, nf());
  expect(wanted.entries[0]).toEqual(nf());
  expect(state.runs["configuration of fw"]).not.toBe(configuration);
});
