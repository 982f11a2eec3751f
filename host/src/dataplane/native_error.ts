/** Errors of the addon as the project's own: same codes, same way of printing. Anything without a known code is a bug of ours and stays as it is. */
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";

/** What a reader can do about the codes that native code throws, where the message does not say it itself (as those of damaged captures do). */
const FIXES: Partial<Record<ErrorCode, string>> = {
  "eal.init": "See 'nfactor doctor'.",
  "eal.memory": "Ask for less with --memory or a smaller --max-flows, or free memory; 'nfactor doctor' shows what there is.",
  "host.permission": "Run as root, or give the process CAP_NET_RAW and CAP_NET_ADMIN.",
  "port.missing": "'ip link' lists the interfaces.",
  "runtime.busy": "Try again when what goes on there has ended.",
  "runtime.direct": "Start the host with --runtimes <n> (in nfactor.yaml: runtimes: { count: <n> }).",
  "runtime.in_process": "Start the host with --processes (in nfactor.yaml: runtimes: { processes: true }).",
  "runtime.last": "Add another one first: 'nfactor runtimes add'.",
  "runtime.limit": "Remove one that is not needed: 'nfactor runtimes remove <n>'.",
  "runtime.not_empty": "Move its flows away with 'nfactor drain <n>', or let them end with --force.",
  "runtime.unknown": "'nfactor runtimes' lists them, those of a deployment 'nfactor runtimes <deployment>'.",
  "runtime.unreplicated": "Start the host with --replicas 1 (in nfactor.yaml: runtimes: { replication: {} }).",
  "state.too_large": "Lower --max-flows (flows.max), or keep less state per flow.",
};

export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof NfError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || !Object.hasOwn(ERROR_CODES, code)) return error;
  return nativeError(code as ErrorCode, error.message, error);
}

export function nativeError(code: ErrorCode, message: string, cause?: unknown): NfError {
  return new NfError(code, message, { cause, fix: FIXES[code] });
}

export const unknownRuntime = (runtime: number, known: readonly number[]): NfError =>
  new NfError("runtime.unknown", `there is no runtime ${runtime}`, { given: String(runtime), allowed: known.join(", "), fix: FIXES["runtime.unknown"] });

/** A run that ended early says why in its report. */
export function reportedError({ code, message }: { code: string; message: string }): NfError {
  return nativeError(Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "internal", message);
}

/** Runs `call` and throws the project's errors for those of the addon. */
export function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

export async function nativeAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}
