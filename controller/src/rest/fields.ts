/** Fields that several routes have: names in paths, and what a query may hold, which is text and becomes numbers and truth values here. */
import { nameSchema } from "@nfactor/sdk/manifest";
import { z } from "zod";

export const tenantName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,31}$/, "a lower-case letter, then letters, digits and underscores, 32 at most")
  .describe("Name of a tenant.");
export const deploymentSegment = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,31}$/, "a lower-case letter, then letters, digits and underscores, 32 at most")
  .describe("Name of a deployment, without its tenant.");
export const hostName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, "letters, digits, '_', '-' and '.', 63 at most, beginning with a letter or digit")
  .describe("Name of a host.");
export const nfName = nameSchema.describe("Name of an NF.");
export const nfReference = z.string().min(1).max(256).describe("firewall (its newest version), firewall@1.2.0, or firewall@sha256:3f9a… (12 digits or more).");
export const tokenId = z
  .string()
  .regex(/^[0-9a-f]{16}$/, "an id has 16 hex digits")
  .describe("Id of a token, as the list has it.");

export const ofTenant = z.strictObject({ tenant: tenantName });
export const ofDeployment = z.strictObject({ tenant: tenantName, deployment: deploymentSegment });
export const ofHost = z.strictObject({ host: hostName });
export const ofArtifact = z.strictObject({ tenant: tenantName, reference: nfReference });
export const ofNf = z.strictObject({ tenant: tenantName, nf: nfName });
export const nothing = z.strictObject({});

/** A whole number in a query. */
export const queryInt = (min: number, max: number) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,15})$/, "a whole number is expected")
    .transform(Number)
    .pipe(z.int().min(min).max(max));

export const queryFlag = z
  .enum(["true", "false", ""])
  .transform((text) => text !== "false")
  .pipe(z.boolean());

/** Given once or several times, each time with one word or several: `match=tcp&match=:80`, `match=tcp%20:80`. */
export const queryWords = z
  .union([z.string(), z.array(z.string())])
  .default([])
  .transform((given) =>
    [given]
      .flat()
      .flatMap((text) => text.split(/\s+/))
      .filter((word) => word !== ""),
  )
  .pipe(z.array(z.string().max(200)).max(20));

export const limitField = (standard: number, max: number) =>
  queryInt(1, max)
    .optional()
    .transform((n) => n ?? standard)
    .pipe(z.int().min(1).max(max).describe(`At most this many; ${standard} by default.`));
