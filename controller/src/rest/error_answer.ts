/**
 * Errors as answers: the one table of statuses, and the one form. A code that is not in the table gets 503 when a better input would not have helped
 * (`FAILURES` of the command line), and 422 otherwise: the request was understood, and what it names or brings is not accepted.
 */
import { EXIT, exitCodeOf } from "@nfactor/host/exit_codes";
import { safeText } from "@nfactor/host/text";
import type { ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";

const STATUS: Partial<Record<ErrorCode, number>> = {
  internal: 500,
  "artifact.aborted": 408,
  "artifact.ambiguous": 409,
  "artifact.damaged": 500,
  "artifact.full": 507,
  "artifact.in_use": 409,
  "artifact.io": 500,
  "artifact.name": 400,
  "artifact.not_found": 404,
  "artifact.quota": 409,
  "artifact.too_large": 413,
  "artifact.uncertain": 503,
  "artifact.version_taken": 409,
  "capture.write": 500,
  "rest.aborted": 408,
  "rest.body": 400,
  "rest.field": 400,
  "rest.forbidden": 403,
  "rest.header": 431,
  "rest.media_type": 415,
  "rest.method": 405,
  "rest.not_found": 404,
  "rest.path": 400,
  "rest.rate": 429,
  "rest.timeout": 408,
  "rest.too_large": 413,
  "rest.unauthorized": 401,
  "rpc.deadline": 504,
  "rpc.outcome": 502,
  "rpc.params": 400,
  "rpc.protocol": 502,
  "rpc.result": 502,
  "rpc.version": 502,
  "runtime.busy": 409,
  "runtime.last": 409,
  "runtime.limit": 409,
  "runtime.no_flow": 404,
  "runtime.not_empty": 409,
  "runtime.unknown": 404,
  "store.damaged": 500,
  "store.exists": 409,
  "store.full": 507,
  "store.io": 500,
  "store.limit": 409,
  "store.name": 400,
  "store.not_found": 404,
  "store.object": 500,
  "store.stale": 412,
  "swap.entry": 404,
  usage: 400,
};

export const statusOf = (code: ErrorCode): number => STATUS[code] ?? (exitCodeOf(code) === EXIT.failure ? 503 : 422);

/** Seconds after which it may be different, for `Retry-After`. */
export function retryAfterOf(code: ErrorCode): number | undefined {
  const status = statusOf(code);
  return status === 429 ? 10 : status === 503 ? 2 : undefined;
}

export const errorAnswerSchema = z.strictObject({
  error: z.strictObject({
    code: z.string().describe("Stable; the list of all codes is under x-error-codes."),
    message: z.string().describe("What is wrong. Its text may change."),
    where: z.strictObject({ file: z.string(), line: z.int().optional(), column: z.int().optional() }).optional().describe("In an NF's source or a file."),
    given: z.string().optional().describe("What was found."),
    allowed: z.string().optional().describe("What would have been right."),
    fix: z.string().optional().describe("What can be done now."),
  }),
});
export type ErrorAnswer = z.output<typeof errorAnswerSchema>;

const TEXT_MAX = 4000;

/** Strangers' names and texts are in messages; lines stay lines, and nothing else in them is obeyed by a terminal. */
const safeLines = (text: string): string =>
  text
    .slice(0, TEXT_MAX)
    .split("\n")
    .map((line) => safeText(line, TEXT_MAX))
    .join("\n");

export function errorAnswer(error: NfError): ErrorAnswer {
  const { code, message, where, given, allowed, fix } = error;
  const texts = Object.entries({ given, allowed, fix }).flatMap(([name, text]) => (text === undefined ? [] : [[name, safeLines(text)]]));
  const place = where && {
    file: safeText(where.file),
    ...(where.line !== undefined && { line: where.line }),
    ...(where.column !== undefined && { column: where.column }),
  };
  return { error: { code, message: safeLines(message), ...(place && { where: place }), ...(Object.fromEntries(texts) as Record<string, string>) } };
}

/** What was thrown, as an error that may be shown. Anything but an NfError is a fault of ours: `report` gets it, the asker a reference to that. */
export function asNfError(thrown: unknown, report: (text: string) => void): NfError {
  if (thrown instanceof NfError) return thrown;
  const reference = Math.random().toString(36).slice(2, 10);
  report(`internal error ${reference}: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`);
  return new NfError("internal", `a fault of NFActor's own; the controller's log has it under ${reference}`, {
    fix: "Please report it, with those lines of the log.",
  });
}

/** A request's part that does not fit its schema: which field, what is wrong with it. */
export function fieldError(part: string, { issues }: z.core.$ZodError, given: unknown): NfError {
  const shown = issues.slice(0, 5).map(({ path, message }) => [part, ...path.map(String)].join(".") + `: ${message}`);
  const more = issues.length > shown.length ? `; and ${issues.length - shown.length} more` : "";
  const value = valueAt(given, issues[0]?.path ?? []);
  return new NfError("rest.field", shown.join("; ") + more, {
    ...(value !== undefined && { given: safeText(JSON.stringify(value) ?? typeof value, 100) }),
    fix: "Mend it; GET /openapi.json and docs/rest.md say what each field may be.",
  });
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}
