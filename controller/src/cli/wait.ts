/**
 * Waiting for what lasts: on a terminal one line that is written over, elsewhere a line every ten seconds, nothing in the first half second. Ctrl-C ends the
 * command and says what goes on without it.
 */
import { EXIT, type Output } from "@nfactor/host/cli";
import { duration, safeText } from "@nfactor/host/text";

const FIRST_MS = 500;
const TERMINAL_MS = 500;
const LINE_MS = 10_000;

export interface Wait {
  /** As "deploying blue/web". */
  readonly what: string;
  /** What Ctrl-C does not end; left out: there is nothing that goes on. */
  readonly goesOn?: string | undefined;
  /** How far it is, in words, as long as nothing else is told. */
  readonly progress?: () => string | undefined;
}

export async function waiting<T>(output: Output, { what, goesOn, progress }: Wait, run: (onProgress: (text: string) => void) => Promise<T>): Promise<T> {
  const isTerminal = process.stderr.isTTY;
  const startMs = performance.now();
  let told: string | undefined;
  let [isOver, isShown]: [boolean, boolean] = [false, false];
  const clear = (): void => {
    if (isTerminal && isShown) output.write("\r\x1b[K");
    isShown = false;
  };
  const interrupted = (): never => {
    isOver = true;
    clear();
    output.note(goesOn ?? "Ended; nothing goes on.");
    process.exit(EXIT.interrupted);
  };
  const show = (): void => {
    const far = told ?? progress?.();
    const line = [what, ...(far === undefined ? [] : [safeText(far, 100)]), duration((performance.now() - startMs) * 1e6)].join(", ");
    output.write(isTerminal ? `\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}` : `${line}\n`);
    isShown = true;
    timer = setTimeout(show, isTerminal ? TERMINAL_MS : LINE_MS);
  };
  let timer = setTimeout(show, isTerminal ? FIRST_MS : LINE_MS);
  process.once("SIGINT", interrupted);
  try {
    return await run((text) => (told = text));
  } finally {
    isOver = true;
    clearTimeout(timer);
    process.off("SIGINT", interrupted);
    clear();
  }
}

/** What goes on until Ctrl-C or SIGTERM, which end it well; a second one ends it at once. */
export async function untilInterrupted(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const end = new AbortController();
  const stop = (): void => end.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    await run(end.signal);
  } catch (error) {
    if (!end.signal.aborted) throw error;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}
