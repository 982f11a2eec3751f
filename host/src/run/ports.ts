/** The interfaces of a live host, checked before anything is started: that they exist, and that this process may use them. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { NfError, type Where } from "@nfactor/sdk/errors";
import { nearest } from "@nfactor/sdk/manifest";

const CAP_NET_RAW = 13n;

export interface LivePort {
  iface: string;
  where: Where | undefined;
}

/** Throws NfError (port.missing, host.permission, usage). */
export function checkPorts(client: LivePort, server: LivePort): void {
  if (client.iface === server.iface)
    throw new NfError("usage", `both ports are '${client.iface}'`, {
      where: server.where,
      fix: "A host sits between two interfaces: --client-iface and --server-iface.",
    });
  for (const port of [client, server]) requireInterface(port);
  requireCapabilities();
}

/** The interface of an agent's links. Throws NfError (port.missing, host.permission, port.start). */
export function checkLinkPort(iface: string): void {
  requireInterface({ iface, where: undefined });
  requireCapabilities();
}

function requireInterface({ iface, where }: LivePort): void {
  const folder = "/sys/class/net";
  const known = existsSync(folder) ? readdirSync(folder).sort() : [];
  if (known.includes(iface)) {
    requireUp(iface, where);
    return;
  }
  const meant = nearest(iface, known);
  throw new NfError("port.missing", `there is no network interface '${iface}'`, {
    where,
    given: iface,
    allowed: known.join(", "),
    fix:
      meant === undefined
        ? "'ip link' lists them; one in another network namespace is reached with 'ip netns exec <name> nfactor run …'."
        : `Did you mean '${meant}'?`,
  });
}

const IFF_UP = 1;

function requireUp(iface: string, where: Where | undefined): void {
  const flags = Number(readFileSync(join("/sys/class/net", iface, "flags"), "utf8"));
  if ((flags & IFF_UP) === 0) throw new NfError("port.start", `the interface '${iface}' is down`, { where, fix: `Run 'ip link set ${iface} up'.` });
}

function requireCapabilities(): void {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  const capabilities = BigInt(`0x${effective ?? "0"}`);
  if ((capabilities >> CAP_NET_RAW) & 1n) return;
  throw new NfError("host.permission", `live interfaces need the capability CAP_NET_RAW, which this process does not have`, {
    fix: "Run it with sudo. A capture (--in) needs no permission.",
  });
}
