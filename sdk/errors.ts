/**
 * NfError: what every part written in TypeScript throws for a mistake that somebody can mend.
 *
 * Its code is stable (sdk/abi/error_codes.json lists all of them); its text says what was given, what is allowed and what to do. The command
 * line prints `format()` on stderr. Anything else that is thrown is a bug of ours.
 */
import { type ErrorCode } from "./abi/gen/error_codes.ts";

export type { ErrorCode };

/** A place in a text file; line and column count from 1. */
export interface Where {
  file: string;
  line?: number;
  column?: number;
}

export interface NfErrorDetails {
  where?: Where | undefined;
  /** What was found, as text. */
  given?: string | undefined;
  /** What would have been right. */
  allowed?: string | undefined;
  /** What the reader can do now. */
  fix?: string | undefined;
  cause?: unknown;
}

export class NfError extends Error {
  readonly code: ErrorCode;
  readonly where: Where | undefined;
  readonly given: string | undefined;
  readonly allowed: string | undefined;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, message: string, details: NfErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "NfError";
    this.code = code;
    this.where = details.where;
    this.given = details.given;
    this.allowed = details.allowed;
    this.fix = details.fix;
  }

  /** `error[code]: file:line:column: message` and, indented, what is allowed and the fix. Lines behind a message's first one stay as they are. */
  format(): string {
    const place = this.where === undefined ? "" : `${formatWhere(this.where)}: `;
    const [head = "", ...lines] = this.message.split("\n");
    const more = [this.allowed === undefined ? "" : `Allowed: ${sentence(this.allowed)}`, this.fix === undefined ? "" : sentence(this.fix)];
    const second = more.filter((s) => s !== "").join(" ");
    return `error[${this.code}]: ${place}${[sentence(head), ...lines].join("\n")}${second === "" ? "" : `\n  ${second}`}`;
  }
}

export function formatWhere(where: Where): string {
  return [where.file, where.line, where.line === undefined ? undefined : where.column].filter((part) => part !== undefined).join(":");
}

function sentence(text: string): string {
  return /[.!?:]$/.test(text) ? text : `${text}.`;
}
