/** For tests only: what is written to stdout and stderr is kept. A file of its own, which imports nothing: it takes part in making `node:fs`. */

/** What was written to 1 and 2. */
export type Captured = Record<1 | 2, string>;

type Write = (fd: number, bytes: Uint8Array, at?: number) => number;

/** In place of writeSync: `vi.mock("node:fs", async (original) => captured(await original(), written))`, where `written` is hoisted. */
export function captured<F extends { writeSync: unknown }>(fs: F, written: Captured): F {
  const writeSync: Write = (fd, bytes, at = 0) => {
    if (fd !== 1 && fd !== 2) return (fs.writeSync as Write)(fd, bytes, at);
    written[fd] += Buffer.from(bytes.subarray(at)).toString();
    return bytes.length - at;
  };
  return { ...fs, writeSync };
}
