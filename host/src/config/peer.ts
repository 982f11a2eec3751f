/** Another host's agent, at which a host that runs may place runtimes. */
import { z } from "zod";
import { hide } from "../rpc/hidden.ts";
import { parseEndpoint } from "./endpoint.ts";
import { ifaceSchema } from "./host_config.ts";

export const PEERS_MAX = 16;

/** No address of an agent is like it, so that either says where a runtime is to be. */
export const peerNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, "a peer's name has 1 to 63 letters, digits, '_', '.' and '-', and begins with a letter or digit");
const key = hide(z.string().regex(/^[0-9a-fA-F]{64}$/, "64 hex digits are expected"), "a key");

export const peerSchema = z.strictObject({
  name: peerNameSchema,
  address: z
    .string()
    .max(64)
    .refine((text) => parseEndpoint(text) !== undefined, "an agent's address is like 10.0.0.2:7700 or [fd00::2]:7700"),
  /** The secret of both. Left out: the one that the peer of this name has. */
  key: key.optional(),
  /** Of this machine, towards the peer's. */
  iface: ifaceSchema,
});
export type PeerConfig = z.output<typeof peerSchema>;

/** What becomes of peers that are not in the list any more. By default one that has runtimes is refused: it was hardly meant. */
export const peerChangeFields = {
  /** They stay peers until they have no runtimes: nothing is refused for their sake. */
  keep_used: z.boolean().optional(),
  /** Names: their machines will never come back, so nobody waits for the ends of runtimes there, and the numbers of those are free. */
  gone: z.array(peerNameSchema).max(PEERS_MAX).optional(),
};
export interface PeerChange {
  readonly keep_used?: boolean | undefined;
  readonly gone?: readonly string[] | undefined;
}

/** As it is kept. */
export const keptPeerSchema = peerSchema.extend({
  key,
  /** It is no peer any more, and processes that are to end may still be there. */
  isLeaving: z.boolean().default(false),
});
export type KeptPeer = z.output<typeof keptPeerSchema>;
