/** Errors of this side: those that a peer told us, made harmless; and those that both halves of a session throw. */
import { NfError } from "@nfactor/sdk/errors";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import type { z } from "zod";
import { safeText } from "../result/text.ts";
import type { PeerError } from "./messages.ts";

const LINES_MAX = 100;
const LINE_MAX = 1000;

/** Text of a peer goes to terminals and logs. */
function harmless(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const lines = text.split("\n", LINES_MAX + 1);
  return [...lines.slice(0, LINES_MAX).map((line) => safeText(line, LINE_MAX)), ...(lines.length > LINES_MAX ? ["…"] : [])].join("\n");
}

/** A code that this version does not know becomes `internal`, and is named in the message. */
export function errorOfPeer({ code, message, where, given, allowed, fix }: PeerError): NfError {
  const known = Object.hasOwn(ERROR_CODES, code);
  const text = harmless(message)!;
  return new NfError(known ? (code as ErrorCode) : "internal", known ? text : `${text} (${safeText(code, 64)})`, {
    where: where && { file: harmless(where.file)!, ...(where.line ? { line: where.line } : {}), ...(where.column ? { column: where.column } : {}) },
    given: harmless(given),
    allowed: harmless(allowed),
    fix: harmless(fix),
  });
}

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
