/** Names of what a cluster has, as they may be given. */
import { NfError } from "@nfactor/sdk/errors";
import { shown } from "../store/names.ts";

const NAME = /^[a-z][a-z0-9_]{0,31}$/;
const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const ALLOWED = "a lower-case letter, then letters, digits and underscores, 32 at most";

function refuse(what: string, given: string, allowed: string): never {
  throw new NfError("store.name", `${shown(given)} cannot be the name of a ${what}`, { given: shown(given), allowed, fix: "Choose another name." });
}

/** Throws NfError (store.name). */
export function requireTenantName(name: string): void {
  if (!NAME.test(name)) refuse("tenant", name, ALLOWED);
}

/** Throws NfError (store.name). */
export function requireHostName(name: string): void {
  if (!HOST_NAME.test(name)) refuse("host", name, "letters, digits and _ . -, 63 at most, the first a letter or digit");
}

/** `<tenant>/<name>` in its parts. Throws NfError (store.name). */
export function requireDeploymentName(name: string): { readonly tenant: string; readonly name: string } {
  const [tenant = "", own = "", ...more] = name.split("/");
  if (!NAME.test(tenant) || !NAME.test(own) || more.length > 0) refuse("deployment", name, `<tenant>/<name>, each ${ALLOWED}`);
  return { tenant, name: own };
}

export const tenantOf = (deployment: string): string => deployment.slice(0, deployment.indexOf("/"));
