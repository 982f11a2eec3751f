/** Errors as a peer tells them, over any connection: its codes may be newer than ours, and its text goes to terminals and logs. */
import { NfError } from "@nfactor/sdk/errors";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { z } from "zod";
import { safeText } from "../result/text.ts";

export const peerErrorSchema = z.object({
  code: z.string().max(64),
  message: z.string(),
  where: z.object({ file: z.string(), line: z.int().optional(), column: z.int().optional() }).optional(),
  given: z.string().optional(),
  allowed: z.string().optional(),
  fix: z.string().optional(),
});
export type PeerError = z.output<typeof peerErrorSchema>;

const LINES_MAX = 100;
const LINE_MAX = 1000;

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
