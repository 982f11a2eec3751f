/** The first token: of whoever can read the controller's folder, who can read the store too. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { writeDurably } from "@nfactor/host/durable_file";
import { NfError } from "@nfactor/sdk/errors";
import type { ApiTokens } from "./tokens.ts";

export const ADMIN_TOKEN_FILE = "admin.token";

/**
 * Writes `<folder>/admin.token`, 0600, when the store has no token with which others could be made: at the first start, and after the last one was revoked or
 * has expired. Who deletes the file and keeps a token of their own gets no new one. `renew` makes one in any case: for who has lost theirs. Returns the file's
 * path when it was written. Throws NfError (host.permission), and what Store.txn() throws.
 */
export async function ensureAdminToken(tokens: ApiTokens, folder: string, { renew = false } = {}): Promise<string | undefined> {
  if (!renew && (await tokens.hasAdmin())) return undefined;
  const path = join(folder, ADMIN_TOKEN_FILE);
  const token = `nfa_${randomBytes(32).toString("base64url")}`;
  // The file comes first: a process that ends in between leaves a file that opens nothing, and the next start writes another.
  try {
    writeDurably(path, `${token}\n`);
  } catch (cause) {
    throw new NfError("host.permission", `${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      fix: "Give the controller a folder that it may write to.",
    });
  }
  await tokens.register(token, { label: "first admin", scope: "admin" });
  return path;
}
