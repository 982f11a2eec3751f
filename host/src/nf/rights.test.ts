import { NfError } from "@nfactor/sdk/errors";
import { manifestSchema } from "@nfactor/sdk/manifest";
import { expect, test } from "vitest";
import { grantSchema } from "../config/host_config.ts";
import { grantedRights } from "./rights.ts";

const manifest = (rights: object) => manifestSchema.parse({ apiVersion: "nfactor/v1", name: "nat", version: "1.0.0", rights });
const entry = (grant: object | "all", leaseSize = 0) => ({
  name: "n",
  grant: grant === "all" ? ("all" as const) : grantSchema.parse(grant),
  grantPlace: { file: "nfactor.yaml", line: 3, column: 9 },
  where: undefined,
  leaseSize,
});
function refused(call: () => unknown): NfError {
  try {
    call();
  } catch (error) {
    if (error instanceof NfError) return error;
  }
  throw new Error("nothing was refused");
}

test("without a grant an NF sees payloads and changes nothing", () => {
  expect(grantedRights(manifest({ view: "payload" }), entry({}))).toMatchObject({ view: "payload", edit: "none" });
  const error = refused(() => grantedRights(manifest({ edit: "headers", emits: 2 }), entry({})));
  expect(error.format()).toBe(
    "error[config.rights]: nfactor.yaml:3:9: chain 'n': nat asks for 'edit: headers, emits: 2', which is not granted.\n" +
      "  If it may have that, write 'grant: { edit: headers, emits: 2 }' at its entry in nfactor.yaml, or --grant n=edit:headers,emits:2.",
  );
});

test("an NF gets what it asks for, not what it could have", () => {
  expect(grantedRights(manifest({ view: "headers" }), entry({ edit: "payload", reply: true }))).toMatchObject({ view: "headers", edit: "none", reply: false });
});

test("payload includes headers, in views and edits", () => {
  expect(grantedRights(manifest({ edit: "headers" }), entry({ edit: "payload" }))).toMatchObject({ edit: "headers" });
  expect(refused(() => grantedRights(manifest({ view: "payload" }), entry({ view: "headers" }))).code).toBe("config.rights");
});

test("leased values need a pool, also when all is granted", () => {
  expect(refused(() => grantedRights(manifest({ lease: true }), entry("all"))).message).toContain("no pool");
  expect(grantedRights(manifest({ lease: true }), entry("all", 10))).toMatchObject({ lease: true });
});
