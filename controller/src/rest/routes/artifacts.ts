/** NFs of a tenant: artifacts as they were pushed, under their versions. */
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import { limitField, nfName, ofArtifact, ofNf, ofTenant } from "../fields.ts";
import { Multipart, type Part, boundaryOf } from "../multipart.ts";
import { type Answer, type Upload, answers, json, route } from "../route.ts";
import { artifactJson, artifactView, pageJson, pageOf } from "../views.ts";
import { removedView } from "./tenants.ts";

const tag = "Artifacts";
const WASM = "application/wasm";

const pushed = artifactView.extend({ created: z.boolean().describe("False: this version was there already, the same."), dry_run: z.boolean() });
const nfSummary = z.strictObject({ name: z.string(), newest: z.string(), versions: z.int() });
const page = { limit: limitField(100, 100), after: z.string().max(128).optional().describe("`next` of the page before.") };

/** Both files as they come in; nothing is kept of them here. */
function filesOf({ type, bytes }: Upload): { readonly component: AsyncIterable<Uint8Array>; readonly sourceMap?: AsyncIterable<Uint8Array> } {
  // A reader that has seen enough leaves the connection to the answer.
  const source = bytes.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>;
  if (!type.startsWith("multipart/")) return { component: source };
  const form = new Multipart(source, boundaryOf(type));
  return { component: partOf(form, "component"), sourceMap: lastPartOf(form, "source_map") };
}

async function* partOf(form: Multipart, name: string): AsyncGenerator<Uint8Array> {
  const part: Part | undefined = await form.next();
  if (part?.name !== name)
    throw new NfError("rest.body", part ? `the part '${part.name}' stands where '${name}' is expected` : `the form has no part '${name}'`, {
      allowed: "the parts 'component' and 'source_map', in this order",
      fix: "Without a source map, send the artifact as application/wasm.",
    });
  yield* part.bytes;
}

async function* lastPartOf(form: Multipart, name: string): AsyncGenerator<Uint8Array> {
  yield* partOf(form, name);
  if (await form.next()) throw new NfError("rest.body", "the form has a third part", { allowed: "'component' and 'source_map'", fix: "Leave it out." });
}

const bytesAnswer = (type: string, bytes: Uint8Array, digest: string): Answer => ({ kind: "bytes", type, bytes, headers: { etag: `"sha256:${digest}"` } });

export const artifactRoutes = [
  route({
    method: "GET",
    path: "/v1/tenants/{tenant}/artifacts",
    tag,
    summary: "List a tenant's NFs",
    scope: "read",
    reach: "tenant",
    params: ofTenant,
    query: z.strictObject(page),
    answers: [
      answers(
        "A page of NFs by name, and what the tenant has in all.",
        pageOf(nfSummary).extend({ usage: z.strictObject({ bytes: z.int(), versions: z.int() }) }),
      ),
    ],
    example: { query: "limit=20" },
    handle: async ({ services: { cluster }, params, query }) => {
      const [found, usage] = await Promise.all([cluster.artifacts.nfs(params.tenant, query), cluster.artifacts.usage(params.tenant)]);
      return json({ ...pageJson(found, (nf) => nf), usage });
    },
  }),
  route({
    method: "POST",
    path: "/v1/tenants/{tenant}/artifacts",
    tag,
    summary: "Push an NF",
    detail:
      "The artifact that `nfactor build` writes, as `application/wasm`; or with its source map, both or neither, as `multipart/form-data` with the parts `component` and `source_map`, in this order " +
      "(`curl -F component=@firewall.wasm -F source_map=@firewall.wasm.map`). It is admitted before it is there, and is there as a whole or not at all. The same artifact again is the same version.",
    scope: "deploy",
    reach: "tenant",
    changes: true,
    upload: true,
    params: ofTenant,
    query: z.strictObject({
      nf: nfName.optional().describe("What it is said to be: refused when it is something else."),
      version: z.string().max(64).optional(),
      digest: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "64 hex digits are expected")
        .optional()
        .describe("SHA-256 of the artifact: refused when it was changed on its way."),
    }),
    answers: [answers("It is there.", pushed, 201), answers("It was there already, or this was a dry run.", pushed)],
    example: {},
    handle: async ({ services, params, query, body, write, signal }) => {
      const { nf, version, digest } = query;
      const expect = { ...(nf !== undefined && { nf }), ...(version !== undefined && { version }), ...(digest !== undefined && { digest }) };
      const files = filesOf(body as unknown as Upload);
      const uploaded = await services.cluster.artifacts.upload({ tenant: params.tenant, ...files, uploader: write.by, expect, signal, dryRun: write.dryRun });
      const { created } = uploaded;
      return json({ ...artifactJson(uploaded.version.object), created, dry_run: write.dryRun }, { status: created && !write.dryRun ? 201 : 200 });
    },
  }),
  route({
    method: "GET",
    path: "/v1/tenants/{tenant}/artifacts/{nf}/versions",
    tag,
    summary: "List an NF's versions",
    scope: "read",
    reach: "tenant",
    params: ofNf,
    query: z.strictObject(page),
    answers: [answers("A page of versions, the highest first.", pageOf(artifactView))],
    example: {},
    handle: async ({ services: { cluster }, params, query }) =>
      json(pageJson(await cluster.artifacts.versions(params.tenant, params.nf, query), ({ object }) => artifactJson(object))),
  }),
  route({
    method: "GET",
    path: "/v1/tenants/{tenant}/artifacts/{reference}",
    tag,
    summary: "Get a version of an NF",
    scope: "read",
    reach: "tenant",
    params: ofArtifact,
    answers: [answers("The version.", artifactView)],
    example: {},
    handle: async ({ services: { cluster }, params }) => json(artifactJson((await cluster.artifacts.resolve(params.tenant, params.reference)).object)),
  }),
  route({
    method: "GET",
    path: "/v1/tenants/{tenant}/artifacts/{reference}/bytes",
    tag,
    summary: "Get an artifact as it was pushed",
    scope: "read",
    reach: "tenant",
    params: ofArtifact,
    answers: [{ description: "Every byte; its SHA-256 is the ETag.", content: { [WASM]: undefined } }],
    example: {},
    handle: async ({ services: { cluster }, params }) => {
      const { object } = await cluster.artifacts.resolve(params.tenant, params.reference);
      return bytesAnswer(WASM, await cluster.artifacts.component(object), object.artifact.digest);
    },
  }),
  route({
    method: "GET",
    path: "/v1/tenants/{tenant}/artifacts/{reference}/source_map",
    tag,
    summary: "Get the source map that was pushed with an artifact",
    scope: "read",
    reach: "tenant",
    params: ofArtifact,
    answers: [{ description: "A stranger's file.", content: { "application/octet-stream": undefined } }],
    example: {},
    handle: async ({ services: { cluster }, params }) => {
      const { object } = await cluster.artifacts.resolve(params.tenant, params.reference);
      const bytes = await cluster.artifacts.sourceMap(object);
      if (!bytes || !object.sourceMap)
        throw new NfError("artifact.not_found", `${object.manifest.name}@${object.manifest.version} was pushed without a source map`, {
          fix: "Push the next version with its source map.",
        });
      return bytesAnswer("application/octet-stream", bytes, object.sourceMap.digest);
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/tenants/{tenant}/artifacts/{reference}",
    tag,
    summary: "Delete a version of an NF",
    detail: "By its version or digest. Refused while anything uses it, or may go back to it.",
    scope: "deploy",
    reach: "tenant",
    changes: true,
    params: ofArtifact,
    answers: [answers("It is deleted, or would be.", removedView)],
    example: { params: { reference: "firewall@1.0.0" } },
    handle: async ({ services: { cluster }, params, write }) => {
      await cluster.artifacts.delete(params.tenant, params.reference, { dryRun: write.dryRun });
      return json({ removed: params.reference, dry_run: write.dryRun });
    },
  }),
];
