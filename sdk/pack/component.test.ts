import { describe, expect, it } from "vitest";
import { LIMITS } from "../abi/gen/abi.ts";
import { assembleComponent, bareComponent, coreSection, metadataOf, metadataSections, section } from "../admission/testing/artifact.ts";
import { encodeModule, validModule } from "../admission/testing/raw_module.ts";
import { ArtifactError, METADATA_SECTIONS, packComponent, readArtifact, stripCustomSections, unpackComponent } from "./index.ts";
import { binaryKind, concat, customSection, sections } from "./wasm_reader.ts";

const core = (): Uint8Array => encodeModule(validModule());

describe("pack and unpack", () => {
  it("give back the module and the metadata", async () => {
    const component = await packComponent(core(), metadataOf({ name: "round_trip" }));
    expect(binaryKind(component)).toBe("component");
    expect(unpackComponent(component)).toEqual({ core: core(), ...metadataOf({ name: "round_trip" }) });
  });

  it("make the same bytes whatever custom sections the module came with", async () => {
    const dressed = concat([core(), customSection("name", new Uint8Array(20)), customSection("producers", Uint8Array.of(0))]);
    expect(await packComponent(dressed, metadataOf())).toEqual(await packComponent(core(), metadataOf()));
    expect(stripCustomSections(dressed)).toEqual(core());
  });

  it("never follow the component's own wiring", async () => {
    const component = await packComponent(core(), metadataOf());
    const parts = [...sections(component)].filter(({ id }) => id <= 1).map(({ head, end }) => component.subarray(head, end));
    expect(unpackComponent(assembleComponent(parts)).core).toEqual(core());
  });

  it("a module that does not fit the world is not packed, with the reason", async () => {
    const module = validModule();
    module.exports.splice(3, 1);
    await expect(packComponent(encodeModule(module), metadataOf())).rejects.toMatchObject({
      code: "pack.component",
      message: expect.stringContaining("init") as string,
    });
  });
});

describe("an artifact that is none", () => {
  const rule = (bytes: Uint8Array): string => {
    try {
      unpackComponent(bytes);
    } catch (error) {
      if (error instanceof ArtifactError) return error.rule;
      throw error;
    }
    return "none";
  };

  it("is refused by the rule that it breaks", () => {
    expect(rule(core())).toBe("component_malformed");
    expect(rule(new Uint8Array(LIMITS.component_bytes_max + 1))).toBe("component_size");
    expect(rule(bareComponent(core(), { ...metadataOf(), manifest: undefined }))).toBe("metadata_missing");
    expect(rule(concat([bareComponent(core()), coreSection(core())]))).toBe("core_modules");
    expect(rule(concat([bareComponent(core()), section(4, assembleComponent([]))]))).toBe("nested_component");
    expect(rule(bareComponent(Uint8Array.of(1, 2, 3)))).toBe("module_malformed");
    expect(rule(bareComponent(core()))).toBe("none");
  });

  it("is read as far as that goes, with everything that is wrong", () => {
    const bytes = concat([
      bareComponent(core(), { ...metadataOf(), configSchema: undefined }),
      section(4, assembleComponent([])),
      ...metadataSections({ manifest: {} }),
    ]);
    const rules: string[] = [];
    const parts = readArtifact(bytes, (problem) => rules.push(problem.rule));
    expect(rules.sort()).toEqual(["metadata_missing", "metadata_missing", "nested_component"]);
    expect(parts.core).toEqual(core());
    expect(parts.configSchema).toBeUndefined();
  });

  it("cannot exhaust the stack of who prints its metadata", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const others = metadataSections({ manifest: {}, stateSchema: {} });
    const bytes = assembleComponent([coreSection(core()), ...others, customSection(METADATA_SECTIONS.configSchema, Buffer.from(deep))]);
    expect(rule(bytes)).toBe("component_malformed");
  });

  it("of a million tiny sections costs one complaint", () => {
    const tiny = Uint8Array.from({ length: LIMITS.component_bytes_max - 8 - (LIMITS.component_bytes_max % 2) }, (_, i) => (i % 2 === 0 ? 4 : 0));
    const rules: string[] = [];
    readArtifact(assembleComponent([tiny]), (problem) => rules.push(problem.rule));
    expect(rules.filter((name) => name === "nested_component")).toHaveLength(1);
  });
});
