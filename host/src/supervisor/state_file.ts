/** What a tenant's supervisor keeps on disk, and how the next one reads it. */
import { randomBytes, randomInt } from "node:crypto";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import { keptPeerSchema } from "../config/peer.ts";
import { emptyKept, keptSchema } from "./books.ts";
import type { Durable } from "./membership_events.ts";
import type { RunFolder } from "./run_folder.ts";
import type { TenantSecrets } from "./tenant_spec.ts";

const member = z.int().min(0).max(15);
const incarnation = z.int().min(0).max(0xffffffff);
const lifeSchema = z.strictObject({ member, incarnation });
const durableSchema = z.strictObject({
  term: z.int().min(0).max(255),
  lastIncarnation: incarnation,
  members: z.array(
    z.strictObject({
      ...{ member, incarnation, isAlive: z.boolean(), isFenced: z.boolean().default(false) },
      ...{ lives: z.int().min(0), isDraining: z.boolean(), isRemoved: z.boolean(), homes: z.array(member).max(15).default([]) },
    }),
  ),
  ended: z.array(lifeSchema),
}) satisfies z.ZodType<Durable>;

/** Peers, and where runtimes were added: at a peer (its name), at an agent that was configured (its address), or on this machine. */
const elsewhereSchema = z.strictObject({
  peers: z.array(keptPeerSchema),
  placed: z.array(z.strictObject({ member, at: z.string().nullable() })),
});
export type Elsewhere = z.output<typeof elsewhereSchema>;

const stateSchema = z.strictObject({
  v: z.literal(1),
  tenant: z.int().min(0).max(65_535),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** What runs, in words (tenant_spec.ts). */
  runs: z.record(z.string(), z.string()),
  membership: durableSchema,
  books: keptSchema,
  elsewhere: elsewhereSchema.default(() => ({ peers: [], placed: [] })),
});
export type TenantState = z.output<typeof stateSchema>;

export function newSecrets(): TenantSecrets {
  return { tenant: randomInt(1, 65_536), key: randomBytes(32).toString("hex") };
}

export function newState(secrets: TenantSecrets, runs: Record<string, string>, membership: Durable): TenantState {
  return { v: 1, ...secrets, runs, membership, books: emptyKept(), elsewhere: { peers: [], placed: [] } };
}

export function packState(state: TenantState): string {
  return JSON.stringify(state, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}

/** Undefined when there is none. Throws NfError (host.socket) when it is damaged or of another version. */
export function readState(folder: RunFolder): TenantState | undefined {
  const text = folder.readState();
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const state = stateSchema.safeParse(json);
  if (state.success) return state.data;
  throw new NfError("host.socket", `the state of host '${folder.name}' in ${folder.path} is damaged, or another version's`, {
    fix: `End its processes (those of nfactord that name ${folder.path}), and remove that folder.`,
  });
}
