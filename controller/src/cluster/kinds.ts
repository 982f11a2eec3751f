/** What the controller keeps in its store about the cluster: what is wanted, and what it must remember of what it has done. JSON, see store/collection.ts. */
import { deploymentSpecSchema, digestSchema } from "@nfactor/host/deployment";
import { z } from "zod";
import { groupPolicySchema } from "../scaling/policy.ts";
import type { Kind } from "../store/index.ts";

const time = z.int().min(0).describe("ms since 1970");
const name = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/);
const hostName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);

export const tenantSchema = z.strictObject({
  /** Runtimes at once over all of its deployments. */
  runtimes_max: z.int().min(0).max(10_000),
  deployments_max: z.int().min(0).max(10_000),
  created: time,
});
export type Tenant = z.output<typeof tenantSchema>;
export const TENANT: Kind<Tenant> = { noun: "tenant", prefix: "tenants/", schema: tenantSchema, version: 1 };

/** One state of a deployment that somebody wanted; the newest is the one that is wanted now. */
const revisionSchema = z.strictObject({
  revision: z.int().min(1),
  at: time,
  by: z.string().max(128),
  why: z.enum(["deploy", "swap", "rollback", "scale"]),
  /** Flows may end for it: whoever wanted it has said so. */
  replace: z.boolean(),
  spec: deploymentSpecSchema,
});
export const REVISIONS_KEPT = 20;
/** JSON of all of them: an object of the store has a bound, and configurations may be long. The newest and the one before it stay in any case. */
export const REVISIONS_BYTES_KEPT = 384 * 1024;

/** The newest of those that were removed; the host has long heard of the others. */
export const GONE_KEPT = 16;

export const deploymentSchema = z.strictObject({
  host: hostName.describe("Where its ports and its virtual switch are."),
  scaling: groupPolicySchema,
  /** Hosts besides its own that its runtimes may be on; `iface`: of its own host, towards that one. */
  peers: z.array(z.strictObject({ host: hostName, iface: z.string().max(15) })).max(16),
  /** Hosts that were peers and were removed for good: its own host waits for nothing there. */
  gone: z.array(hostName).max(GONE_KEPT).default([]),
  revisions: z.array(revisionSchema).min(1).max(REVISIONS_KEPT),
  /** It is to be ended; the object goes when the host has none of it. */
  ending: z.boolean(),
  created: time,
});
export type Deployment = z.output<typeof deploymentSchema>;
export type DeploymentRevision = z.output<typeof revisionSchema>;
/** Named <tenant>/<deployment>. */
export const DEPLOYMENT: Kind<Deployment> = { noun: "deployment", prefix: "deployments/", segments: 2, schema: deploymentSchema, version: 1 };

export const hostSchema = z.strictObject({
  /** Runtimes at most, where the operator wants less than the host offers. */
  room: z.int().min(0).max(10_000).optional(),
  /** Nothing new comes to it, and what is there leaves. */
  cordoned: z.boolean(),
  joined: time,
});
export type Host = z.output<typeof hostSchema>;
export const HOST: Kind<Host> = { noun: "host", prefix: "hosts/known/", schema: hostSchema, version: 1 };

/** A host counts as there while the lease of its object lasts: it is deleted with it. */
export const hostAliveSchema = z.strictObject({ since: time });
export type HostAlive = z.output<typeof hostAliveSchema>;
export const HOST_ALIVE: Kind<HostAlive> = { noun: "lease of host", prefix: "hosts/alive/", schema: hostAliveSchema, version: 1 };

/** What a host said last, for when it is away: what it may be running must not be taken from it. */
export const hostSeenSchema = z.strictObject({
  info: z.json().optional(),
  deployments: z.record(z.string(), z.strictObject({ revision: z.int().min(0), digests: z.array(digestSchema).max(64) })),
});
export type HostSeen = z.output<typeof hostSeenSchema>;
export const HOST_SEEN: Kind<HostSeen> = { noun: "record of host", prefix: "hosts/seen/", schema: hostSeenSchema, version: 1 };

/** What scaling remembers of one deployment. */
export const scalingSchema = z.strictObject({
  /** Part of the keys under which hosts are asked: another deployment of the same name has another one. */
  nonce: z.string().max(32),
  /** Names that scaling gives, unique for all times; numbers are the host's, and may come again. */
  numbers: z.record(z.string(), z.int().min(1).max(65_535)),
  next: z.int().min(1).describe("Of the next name for a runtime that scaling has not started."),
  /** Drained by scaling: any other one that drains was drained by hand, and stays so. */
  drained: z.array(z.string()).max(1024),
  /** As its host was told, of the process that `starts` has counted. */
  homes: z.record(z.string(), z.array(z.string()).max(15)),
  starts: z.int().min(0),
  /** GroupState of scaling/state.ts; times are ms since 1970. Whoever has none decides a little later, not wrongly. */
  state: z.json().optional(),
});
export type Scaling = z.output<typeof scalingSchema>;
/** Named as its deployment. */
export const SCALING: Kind<Scaling> = { noun: "scaling state", prefix: "scaling/", segments: 2, schema: scalingSchema, version: 1 };

export const SCOPES = ["read", "deploy", "operate", "admin"] as const;
/** Of the API. The token itself is nowhere; its SHA-256 is the object's name. */
export const apiTokenSchema = z.strictObject({
  label: z.string().max(64),
  /** Each has those before it. */
  scope: z.enum(SCOPES),
  /** Left out: of all tenants. */
  tenant: name.optional(),
  created: time,
  until: time.optional(),
});
export type ApiToken = z.output<typeof apiTokenSchema>;
export const API_TOKEN: Kind<ApiToken> = { noun: "token", prefix: "tokens/api/", schema: apiTokenSchema, version: 1 };

/** Of the event log: named by a number with leading zeros, so that they are in order. */
export const eventSchema = z.strictObject({
  at: time,
  kind: z.enum(["deployment", "scaling", "operation", "host", "artifact", "tenant", "controller"]),
  /** `blue/web`, or a host, or a tenant: what it is about. */
  about: z.string().max(200),
  severity: z.enum(["info", "warning", "error"]),
  text: z.string().max(4000),
  /** Of scaling: the whole explanation. */
  details: z.json().optional(),
});
export type ClusterEvent = z.output<typeof eventSchema>;
export const EVENT: Kind<ClusterEvent> = { noun: "event", prefix: "events/", schema: eventSchema, version: 1 };
export const EVENTS_KEPT = 10_000;

export const auditSchema = z.strictObject({
  at: time,
  /** The token's label, never the token. */
  who: z.string().max(128),
  from: z.string().max(64),
  method: z.string().max(16),
  path: z.string().max(1024),
  outcome: z.string().max(64).describe("ok, or the error's code"),
  status: z.int(),
});
export type AuditRecord = z.output<typeof auditSchema>;
export const AUDIT: Kind<AuditRecord> = { noun: "audit record", prefix: "audit/", schema: auditSchema, version: 1 };
export const AUDIT_KEPT = 50_000;
