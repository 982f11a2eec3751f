/** What controller and hosts ask of each other, in the order in which docs/running_system.md shows it. A new method needs a line here and a step in scene.ts. */
import { CONTROLLER_METHODS, GUEST_METHODS, HOST_METHODS } from "@nfactor/host/session";

export const CONTRACT = { ...GUEST_METHODS, ...CONTROLLER_METHODS, ...HOST_METHODS };
export type MethodName = keyof typeof CONTRACT;

export interface About {
  /** The paper's name for it, where it has one. */
  readonly paper?: string;
  readonly what: string;
  /** Where nobody has asked for it by a command. */
  readonly system?: string;
}

export const ABOUT: Readonly<Record<MethodName, About>> = {
  poll_load: { paper: "poll workload information", what: "load, flows and losses of the switch and of each runtime, as they are now" },
  watch_load: {
    paper: "poll workload information",
    what: "the same of all deployments, as a stream: what scaling decides by",
    system: "the controller, once for each session; an item each second and deployment",
  },
  configure_peers: {
    paper: "notify of each other's configuration",
    what: "which other hosts runtimes of the deployment may be on, and how these are reached",
    system: "the controller, since the deployment names h2 as a peer",
  },
  migrate_flows: { paper: "migrate flows to a target runtime", what: "flows of one runtime go to another one" },
  set_replication_target: {
    paper: "set up a replication target runtime",
    what: "which runtimes keep the replicas of this one's flows",
    system: "scaling, which keeps replicas apart from owners",
  },
  recover: { paper: "recover a failed runtime", what: "a runtime is taken for dead; its flows go on from their replicas" },
  add_runtime: { what: "one runtime more" },
  drain: { what: "a runtime gets no new flows, and those it has leave" },
  undrain: { what: "it takes flows again" },
  remove_runtime: { what: "a runtime that is empty ends", system: "scaling, when the runtime is drained" },
  deploy: { what: "runs a chain, and goes on doing so" },
  swap: { what: "another version of one NF, on all runtimes, without a packet dropped" },
  undeploy: { what: "ends it" },
  info: { what: "what the machine is and has room for", system: "the controller, when a host connects, and once a minute" },
  deployments: { what: "all that the host has, whether it was asked for or not", system: "the controller, every 5 s and after each order" },
  flows: { what: "flows, with the state of each NF by field" },
  trace: { what: "the story of packets, one after the other" },
  capture: { what: "a pcapng file, piece by piece" },
  join: { what: "a host's first certificate, for a token" },
  keep_alive: { what: "the host is there; how long that is believed, and whom hosts should trust", system: "the host, three times within that time" },
  renew: { what: "another certificate", system: "the host, since the controller trusts other authorities than it knew of" },
  artifact: { what: "part of an NF's artifact", system: "the host, which has been told to deploy what it does not have" },
};

/** The paper's first. */
export const ORDER = Object.keys(ABOUT) as readonly MethodName[];
