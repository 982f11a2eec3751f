/** What answers look like: the cluster's objects as JSON. The schemas document them, and the tests hold every answer against them. */
import { deploymentSpecSchema } from "@nfactor/host/deployment";
import { HOST_METHODS } from "@nfactor/host/session";
import { z } from "zod";
import type { NfVersion, Page } from "../artifacts/index.ts";
import type { DeploymentView, HostView } from "../cluster/cluster_api.ts";
import { type Host, SCOPES, type Tenant, apiTokenSchema, auditSchema, deploymentSchema, eventSchema, hostSchema, tenantSchema } from "../cluster/kinds.ts";
import type { Stored } from "../store/index.ts";
import type { Caller } from "./tokens.ts";

const version = z.int().min(0).describe("Of the object: what If-Match compares. The ETag is the same.");
const dryRun = z.boolean().describe("Nothing was changed.");
const shapeOf = HOST_METHODS;

export const tenantView = tenantSchema.extend({ name: z.string(), version });
export const tenantJson = ({ name, object, version: at }: Stored<Tenant>) => ({ name, version: at, ...object });

export const tokenView = apiTokenSchema.extend({ id: z.string() });
export const tokenJson = ({ id, ...token }: Caller) => ({ id, ...token });
export const tokenMade = tokenView.extend({
  token: z.string().optional().describe("The token itself. It is shown this once, and kept nowhere. Left out of a dry run."),
  dry_run: dryRun,
});
export const scopeField = z.enum(SCOPES).describe("What it may do; each scope has those before it.");

export const deploymentView = z.strictObject({
  name: z.string().describe("<tenant>/<deployment>"),
  version,
  state: z.enum(["running", "behind", "failed", "host_away", "ending"]).describe("behind: its host has not carried out the newest revision yet."),
  why: z.string().optional(),
  revision: z.int().describe("The newest one: the number of what is wanted."),
  wanted: deploymentSchema.omit({ revisions: true }).extend({ spec: deploymentSchema.shape.revisions.element.shape.spec }),
  seen: shapeOf.deployments.result.shape.deployments.element.optional().describe("What its host says of it."),
  runtimes: shapeOf.poll_load.result.optional().describe("As they reported last."),
});
export function deploymentJson({ name, wanted, seen, runtimes, state, why }: DeploymentView) {
  const { revisions, ...rest } = wanted.object;
  const { revision, spec } = revisions.at(-1)!;
  return {
    name,
    version: wanted.version,
    state,
    ...(why !== undefined && { why }),
    revision,
    wanted: { ...rest, spec },
    ...(seen && { seen }),
    ...(runtimes && { runtimes }),
  };
}
export const revisionsView = z.strictObject({
  name: z.string(),
  revisions: z.array(deploymentSchema.shape.revisions.element).describe("The newest first."),
});

export const outcomeView = z.strictObject({
  deployment: z.string(),
  revision: z.int(),
  action: z.enum(["none", "start", "swap", "replace", "scale"]),
  dry_run: dryRun,
  flows_ended: z.int(),
  done: z.boolean().describe("False: it is stored, and is carried out when its host is there."),
  duration_ms: z.number(),
  version: version.describe("Of the deployment as this has left it, or found it; also the ETag. 0: there is none."),
});
export const swapView = outcomeView.extend({
  swap: shapeOf.swap.result.optional().describe("What the host says of it; absent when there was nothing to do, or it is not there."),
  nf: deploymentSpecSchema.shape.chain.element.shape.nf.describe("What the entry has now."),
});

export const hostView = z.strictObject({
  name: z.string(),
  version,
  ...hostSchema.shape,
  connected: z.boolean(),
  leased: z.boolean().describe("It counts as there: it was heard of within its time."),
  runtimes: z.int().describe("Of all deployments, that are there as far as is known; a virtual switch is none."),
  info: shapeOf.info.result.optional().describe("What it says of itself; absent while it is not connected."),
});
export const hostJson = ({ name, host, connected, leased, runtimes, info }: HostView) => ({
  name,
  version: host.version,
  ...host.object,
  connected,
  leased,
  runtimes,
  ...(info && { info }),
});
export const storedHostJson = ({ name, version: at, object }: Stored<Host>) => ({ name, version: at, ...object });
export const storedHostView = z.strictObject({ name: z.string(), version, ...hostSchema.shape });

const blob = z.strictObject({ digest: z.string().describe("SHA-256, hex."), bytes: z.int() });
export const artifactView = z.strictObject({
  nf: z.string(),
  version: z.string(),
  description: z.string().optional(),
  artifact: blob.describe("The artifact as it was pushed: what deployments name."),
  source_map: blob.optional(),
  module: blob.describe("The core module in it: what hosts compile, run and report."),
  manifest: z.json().describe("nf.yaml, as docs/schemas/nf.yaml.schema.json has it."),
  abi_version: z.int(),
  heap_pages: z.int(),
  state: z.strictObject({ version: z.int(), bytes: z.int(), digest: z.string() }).describe("Layout of its flow state."),
  uploader: z.string(),
  uploaded: z.number().describe("ms since 1970"),
});
export function artifactJson({ artifact, sourceMap, module, manifest, abiVersion, heapPages, state, uploader, uploadedMs }: NfVersion) {
  return {
    nf: manifest.name,
    version: manifest.version,
    ...(manifest.description !== undefined && { description: manifest.description }),
    artifact,
    ...(sourceMap && { source_map: sourceMap }),
    module,
    manifest,
    abi_version: abiVersion,
    heap_pages: heapPages,
    state,
    uploader,
    uploaded: uploadedMs,
  };
}
/** A page: `next` is the `after` of the one behind it. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({
    items: z.array(item),
    next: z.string().optional().describe("`after` of the next page, when there is one."),
    unreadable: z.array(z.string()).describe("What cannot be read, and why; it keeps nobody from the rest."),
  });
export const pageJson = <T, J>({ items, next, unreadable }: Page<T>, toJson: (item: T) => J) => ({
  items: items.map(toJson),
  ...(next !== undefined && { next }),
  unreadable: unreadable.map(({ message }) => message),
});

export const eventView = eventSchema.extend({ number: z.int().describe("Rises; also the id of the event in a stream.") });
export const auditView = auditSchema.extend({ number: z.int() });
export const loadView = z.strictObject({ load: z.array(z.strictObject({ deployment: z.string(), report: shapeOf.poll_load.result })) });
