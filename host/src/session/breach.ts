/** Errors that both halves of a session throw. */
import { NfError } from "@nfactor/sdk/errors";
import type { z } from "zod";
import { safeText } from "../result/text.ts";

export function breach(what: string): NfError {
  return new NfError("rpc.protocol", `the other side does not keep to the protocol: ${what}`, {
    fix: "Use the same release of NFActor at both ends; if it is, report this.",
  });
}

/** The first thing that is wrong, as `path: what`. */
export function firstIssue(error: z.ZodError): string {
  const { path, message } = error.issues[0]!;
  return safeText(path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`, 500);
}
