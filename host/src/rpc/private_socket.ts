/** Unix sockets that this user alone may connect to. */
import { existsSync, rmSync } from "node:fs";
import { type Server, connect } from "node:net";
import type { ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";

/** Listens at `path`, in place of a socket that nobody listens on any more. Throws NfError (`refusal`) when somebody does, or it cannot be made. */
export async function listenPrivately(
  server: Server,
  path: string,
  refusal: { readonly code: ErrorCode; readonly who: string; readonly fix: string },
): Promise<void> {
  const { code, who, fix } = refusal;
  if (existsSync(path)) {
    if (await answers(path)) throw new NfError(code, `another ${who} listens on ${path}`, { fix });
    rmSync(path, { force: true });
  }
  try {
    await new Promise<void>((done, fail) => {
      server.once("error", fail);
      // The socket must never exist with wider permissions, not even for a moment. `listen` binds before it returns.
      const mask = process.umask(0o177);
      server.listen(path, done);
      process.umask(mask);
    });
  } catch (cause) {
    throw new NfError(code, `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Whether somebody listens on the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}
