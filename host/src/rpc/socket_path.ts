/**
 * Where control sockets are: ${XDG_RUNTIME_DIR:-/tmp}/nfactor-<uid>/<name>.sock, the folder 0700, the socket 0600.
 *
 * /tmp is everybody's, so a folder that is a link, belongs to somebody else or is open to others is refused: whoever can write there could take
 * our place. The same user may run host and client with and without XDG_RUNTIME_DIR (sudo drops it), so a client looks in both places.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
/** sun_path has 108 bytes, the last one is 0. */
const PATH_BYTES_MAX = 107;

const uid = (): number => process.getuid?.() ?? 0;

export function socketFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  const base = env.XDG_RUNTIME_DIR;
  const bases = base?.startsWith("/") ? [base, "/tmp"] : ["/tmp"];
  return bases.map((folder) => join(folder, `nfactor-${uid()}`));
}

/** Path of the socket of a host that is about to listen; makes the folder. Throws NfError (usage, host.socket). */
export function prepareSocketPath(name: string, env: NodeJS.ProcessEnv = process.env): string {
  const path = join(prepareFolder(name, env), `${name}.sock`);
  requireSocketPath(path);
  return path;
}

/** Throws NfError (host.socket) when a socket cannot have this path. */
export function requireSocketPath(path: string): void {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX)
    throw new NfError("host.socket", `${path} is too long for a socket`, { allowed: `${PATH_BYTES_MAX} bytes`, fix: "Use a shorter --name." });
}

/** The folder of the host's sockets, which is made and is this user's alone. Throws NfError (usage, host.socket). */
export function prepareFolder(name: string, env: NodeJS.ProcessEnv = process.env): string {
  checkName(name);
  const folder = socketFolders(env)[0]!;
  mkdirSync(dirname(folder), { recursive: true });
  try {
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(folder, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw cannot(folder, error);
  }
  checkFolder(folder);
  return folder;
}

/** Sockets that exist, by name; whether anybody listens is another matter. */
export function existingSockets(env: NodeJS.ProcessEnv = process.env): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of socketFolders(env)) {
    if (!existsSync(folder)) continue;
    checkFolder(folder);
    for (const file of readdirSync(folder).sort()) {
      const name = /^(.+)\.sock$/.exec(file)?.[1];
      if (name !== undefined && !found.has(name)) found.set(name, join(folder, file));
    }
  }
  return found;
}

export function checkName(name: string): void {
  if (!NAME.test(name))
    throw new NfError("usage", `'${name}' cannot be a host's name`, {
      allowed: "letters, digits, '_', '-' and '.', 63 at most, beginning with a letter or digit",
    });
}

/** Throws NfError (host.socket) unless it is a folder of this user's alone. */
export function checkFolder(folder: string): void {
  const stat = lstatSync(folder);
  const wrong = !stat.isDirectory()
    ? "is not a folder"
    : stat.uid !== uid()
      ? `belongs to user ${stat.uid}`
      : (stat.mode & 0o077) !== 0
        ? "is open to other users"
        : undefined;
  if (wrong)
    throw new NfError("host.socket", `${folder} ${wrong}: no control socket is used there`, { fix: `Remove it, or run 'chmod 700 ${folder}' if it is yours.` });
}

function cannot(folder: string, cause: unknown): NfError {
  return new NfError("host.socket", `${folder} cannot be made: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
    fix: "Set XDG_RUNTIME_DIR to a folder of yours.",
  });
}
