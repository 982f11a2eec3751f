/** The figure of docs/running_system.md, as Mermaid, and the same as a table of processes: drawn from what a cluster says of itself and what the kernel says. */
import { plural } from "@nfactor/host/text";
import type { DeploymentJson, Process } from "./scene.ts";

export interface Facts {
  readonly deployment: DeploymentJson;
  readonly processes: readonly Process[];
  /** Of `nfactor up` and `nfactor host`. */
  readonly pids: { readonly up: number; readonly far: number };
  readonly ports: { readonly client: string; readonly server: string };
  readonly addresses: { readonly client: string; readonly server: string };
}

interface Part {
  readonly id: string;
  readonly pid: number;
  readonly where: "h1" | "h2";
  /** Lines of its box. */
  readonly text: readonly string[];
  readonly role: string;
}

type Runtime = NonNullable<DeploymentJson["runtimes"]>["runtimes"][number];

/** Each process with its role. Throws when one has none: then the figure would not be of the whole system. */
export function partsOf({ deployment, processes, pids }: Facts): Part[] {
  const supervisor = deployment.seen!.pid!;
  const members = new Map(deployment.runtimes!.runtimes.map((one) => [one.pid!, one]));
  return processes.flatMap(({ pid, where, words, name }): Part[] => {
    const member = members.get(pid);
    if (member) return [{ pid, where, ...memberText(member, deployment) }];
    if (pid === pids.up)
      return [
        {
          id: "up",
          pid,
          where,
          text: ["nfactor up"],
          role: "`nfactor up`: the controller with its store and its API, and the host daemon of h1, which talk over `controller.sock`",
        },
      ];
    if (pid === pids.far)
      return [{ id: "far", pid, where, text: ["nfactor host"], role: "`nfactor host`: the daemon of h2, with its agent for runtimes of other hosts" }];
    if (pid === supervisor)
      return [
        {
          id: "supervisor",
          pid,
          where,
          text: ["supervisor", deployment.name],
          role: `supervisor of ${deployment.name} (\`nfactor run\`): starts and watches its processes`,
        },
      ];
    if (name === "nfactord" && words[1] === "standby")
      return [
        { id: "standby", pid, where, text: ["standby"], role: "`nfactord standby`: has its memory ready, and is the next virtual switch when this one dies" },
      ];
    // It translates a process's TypeScript while it starts.
    if (name === "esbuild") return [];
    throw new Error(`no role is known of process ${pid}: ${words.join(" ")}`);
  });
}

function memberText({ runtime, flows, replicas, targets = [], moved_in, received, sent }: Runtime, { wanted }: DeploymentJson): Omit<Part, "pid" | "where"> {
  const chain = wanted.spec.chain.map(({ name, nf }) => (name === nf.name ? `${name} ${nf.version}` : `${name}: ${nf.name} ${nf.version}`));
  if (runtime === 0)
    return {
      id: "vswitch",
      text: ["virtual switch", `${flows} route entries`, `${received} packets in, ${sent} out`],
      role: `\`nfactord vswitch\`: has the ports and ${flows} route entries; no NF runs in it`,
    };
  const moved = moved_in > 0 ? `, ${moved_in} came by moving` : "";
  const own = plural(flows, "flow");
  const homes = targets.length === 0 ? "any other" : `runtime ${targets.join(", ")}`;
  return {
    id: `r${runtime}`,
    text: [`runtime ${runtime}`, chain.join(" → "), `${own}${moved}`, `${plural(replicas, "replica")} of others`],
    role: `\`nfactord runtime\` ${runtime}: ${own}${moved}, replicas of ${plural(replicas, "flow")} of others; those of its own are at ${homes}`,
  };
}

const box = (part: Part, [open, close] = ["[", "]"]): string => `${part.id}${open}"${[...part.text, `pid ${part.pid}`].join("<br>")}"${close}`;

export function figure(facts: Facts): string {
  const parts = partsOf(facts);
  const { deployment, ports, addresses } = facts;
  const of = (id: string): Part => parts.find((part) => part.id === id)!;
  const runtimes = deployment.runtimes!.runtimes.filter(({ runtime }) => runtime > 0);
  const here = (where: "h1" | "h2"): Part[] => runtimes.map(({ runtime }) => of(`r${runtime}`)).filter((part) => part.where === where);
  const standby = parts.find(({ id }) => id === "standby");
  const far = (runtime: number): boolean => of(`r${runtime}`).where === "h2";
  return [
    "flowchart TB",
    `  user(["nfactor, of whoever uses it"]) -->|"REST, 127.0.0.1:7780"| up`,
    `  subgraph h1["host h1"]`,
    `    ${box({ ...of("up"), text: ["controller · API · store", "host daemon h1"] })}`,
    `    ${box(of("supervisor"))}`,
    `    ${box(of("vswitch"), ["[[", "]]"])}`,
    ...(standby ? [`    ${box(standby)}`] : []),
    ...here("h1").map((part) => `    ${box(part)}`),
    "  end",
    `  subgraph h2["host h2"]`,
    `    ${box({ ...of("far"), text: ["host daemon h2", "agent, 10.78.0.2:7700"] })}`,
    ...here("h2").map((part) => `    ${box(part)}`),
    "  end",
    `  client(["client ${addresses.client}"]) ---|"port ${ports.client}"| vswitch`,
    `  vswitch ---|"port ${ports.server}"| server(["server ${addresses.server}"])`,
    `  up <-->|"RPC: TLS, 10.78.0.1:7800"| far`,
    `  up -->|"control socket"| supervisor`,
    `  supervisor -->|"agent's orders: TLS"| far`,
    ...[of("vswitch"), ...(standby ? [standby] : []), ...here("h1")].map(({ id }) => `  supervisor -.-> ${id}`),
    ...here("h2").map(({ id }) => `  far -.-> ${id}`),
    ...runtimes.map(({ runtime }) => `  vswitch ==>|"${far(runtime) ? "link: interface between" : "link: shared memory"}"| r${runtime}`),
  ].join("\n");
}

export function processTable(facts: Facts): string {
  const order = ["up", "far", "supervisor", "vswitch", "standby"];
  const rank = ({ id }: Part): number => (order.includes(id) ? order.indexOf(id) : order.length);
  const known = new Map(partsOf(facts).map((part) => [part.pid, part]));
  const rows = [...known.values()].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  return ["| host | pid | process |", "|---|---|---|", ...rows.map(({ where, pid, role }) => `| ${where} | ${pid} | ${role} |`)].join("\n");
}
