/** How a host comes to its controller: over a socket of the machine, or over TLS with the identity that it gets, once, for a token. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { NfError } from "@nfactor/sdk/errors";
import { parseEndpoint } from "../config/endpoint.ts";
import { writeDurably } from "../durable_file.ts";
import type { Way } from "../identity/controller_link.ts";
import { readIdentity, writeIdentity } from "../identity/identity.ts";
import { join } from "../identity/join.ts";
import { makePrivateKey } from "../identity/request.ts";
import { checkName } from "../rpc/socket_path.ts";
import { StateFolder } from "./state_folder.ts";

export interface WayWish {
  /** Path of a socket, or an address with a port. */
  readonly controller: string;
  /** Of the host; over TLS the controller says it. */
  readonly name?: string | undefined;
  readonly token?: string | undefined;
  /** The daemon's state folder. */
  readonly state: string;
  readonly say: (text: string) => void;
}

/** Joins, if that has not been done. Rejects with NfError (usage, host.state, rpc.join, rpc.untrusted, rpc.unreachable, …). */
export async function wayTo({ controller, name, token, state, say }: WayWish): Promise<Way> {
  if (name !== undefined) checkName(name);
  if (controller.includes("/")) {
    if (token !== undefined)
      throw new NfError("usage", "--join has no meaning over a socket of this machine", { fix: "Leave it out: whoever may open the socket may connect." });
    if (name === undefined) throw new NfError("usage", "the host's name is missing", { fix: "Give it one with --name." });
    return { path: controller, name };
  }
  const endpoint = parseEndpoint(controller);
  if (!endpoint)
    throw new NfError("usage", `--controller: '${controller}' is neither a path nor an address with a port`, {
      allowed: "like /run/nfactor/controller.sock, 10.0.0.1:7800 or [fd00::1]:7800",
    });
  const folder = StateFolder.open(state);
  try {
    const known = readIdentity(folder.identity);
    if (known && token !== undefined) say(`it has joined as ${known.host} already: the token is not used (remove ${folder.identity} to join anew)`);
    if (!known && token === undefined)
      throw new NfError("usage", "this host has not joined a controller yet", { fix: "Get a token from the controller, and give it once with --join." });
    const identity = known ?? (await joinOnce(endpoint, token!, folder.joinKey));
    if (name !== undefined && name !== identity.host)
      throw new NfError("usage", `the controller knows this host as '${identity.host}', not '${name}'`, {
        fix: "Leave out --name, or join with a token for that name.",
      });
    if (!known) {
      writeIdentity(folder.identity, identity);
      say(`joined as ${identity.host}`);
    }
    rmSync(folder.joinKey, { force: true });
    return { endpoint, identity: folder.identity };
  } finally {
    folder.release();
  }
}

/** With the key of the last attempt, whose answer may have got lost: a token is good for one key. */
async function joinOnce(endpoint: { host: string; port: number }, token: string, keyFile: string) {
  const key = existsSync(keyFile) ? readFileSync(keyFile, "utf8") : makePrivateKey();
  writeDurably(keyFile, key);
  return join(endpoint, token, key);
}
