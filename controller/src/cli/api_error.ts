/** What the API answers when it refuses: `{"error":{"code","message",…}}`. A code that this nfactor does not know is one of a newer controller. */
import { safeText } from "@nfactor/host/text";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";

const bodySchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    where: z.object({ file: z.string(), line: z.number().optional(), column: z.number().optional() }).optional(),
    given: z.string().optional(),
    allowed: z.string().optional(),
    fix: z.string().optional(),
  }),
});

const TEXT_MAX = 8000;

/** What an answer of this status means. */
export function apiError(status: number, text: string, request: string, address: string): NfError {
  return (
    apiErrorOf(jsonOf(text)) ??
    new NfError("cli.answer", `${address} answers ${request} with ${status}: ${safeText(text, 200) || "nothing"}`, {
      fix: "Is this address the API of a controller of the same version?",
    })
  );
}

/** Undefined when it is no error of the API. */
export function apiErrorOf(body: unknown): NfError | undefined {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) return undefined;
  const { code, message, where, given, allowed, fix } = parsed.data.error;
  const isKnown = Object.hasOwn(ERROR_CODES, code);
  return new NfError(isKnown ? (code as ErrorCode) : "cli.answer", `${isKnown ? "" : `[${safeText(code, 64)}] `}${indented(message)}`, {
    ...(where === undefined ? {} : { where: { ...where, file: safeText(where.file) } as NonNullable<NfError["where"]> }),
    given: given === undefined ? undefined : lines(given),
    allowed: allowed === undefined ? undefined : indented(allowed),
    fix: fix === undefined ? undefined : indented(fix),
  });
}

/** Harmless on a terminal; tables in a message keep their lines. */
const lines = (text: string): string =>
  text
    .slice(0, TEXT_MAX)
    .split("\n")
    .map((line) => safeText(line, 2000))
    .join("\n");

/** No line of it begins where one of ours would. */
const indented = (text: string): string => lines(text).replaceAll("\n", "\n  ");

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
