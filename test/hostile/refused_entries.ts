/** Artifacts that admission has to refuse. */
import { LIMITS } from "@nfactor/sdk/abi";
import { assembleComponent, bareComponent, coreSection, metadataOf, metadataSections, section } from "../../sdk/admission/testing/artifact.ts";
import { I32, type RawModule, addFunction, body, constant, data, encodeModule, type, validModule } from "../../sdk/admission/testing/raw_module.ts";
import { MODULE_BASE } from "@nfactor/sdk/abi";
import { concat, customSection } from "../../sdk/pack/wasm_reader.ts";
import { wrapCore } from "../../sdk/pack/index.ts";
import { type HostileEntry, refused } from "./entry.ts";

const NOP = 0x01;
const END = 0x0b;
const UNREACHABLE = 0x00;
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

function core(spoil: (module: RawModule) => void): { core: () => Uint8Array } {
  return {
    core: () => {
      const module = validModule();
      spoil(module);
      return encodeModule(module);
    },
  };
}
const valid = (): Uint8Array => encodeModule(validModule());
const artifact = (make: () => Uint8Array | Promise<Uint8Array>): { source: HostileEntry["source"] } => ({ source: { artifact: make } });
const whole = async (): Promise<Uint8Array> => concat([await wrapCore(valid()), ...metadataSections(metadataOf())]);

const TEXTS: HostileEntry[] = [
  refused("start_section", "run code at instantiation, before the host is ready", "start_section"),
  refused("import_function", "call a function of the host", "imports"),
  refused("import_wasi", "call the system", "imports"),
  refused("import_memory", "use the host's memory", ["imports"]),
  refused("import_global", "read a value of the host", "imports"),
  refused("memory_may_grow", "grow over the areas of the host's choice", "memory_limits"),
  refused("memory_without_maximum", "grow without bound", "memory_limits"),
  refused("memory_unexported", "hide its memory", "memory_export"),
  refused("memory_second", "keep a second memory", "memory_missing"),
  refused("memory_none", "have no memory that the areas could be in", "memory_missing"),
  refused("memory_small", "have the areas lie outside of its memory", "memory_limits"),
  refused("memory_large", "take 2 GiB of heap", "heap_pages"),
  refused("memory_shared", "share its memory between threads", "feature"),
  refused("memory_64", "use addresses of 64 bits", "feature"),
  refused("bulk_fill", "spend long in one instruction that nothing interrupts", "feature"),
  refused("bulk_passive_data", "hide data from the check of where it goes", ["data_place", "feature"]),
  refused("simd", "use vector instructions", "feature"),
  refused("atomics", "use atomic instructions", "feature"),
  refused("tail_call", "loop without loop and stack", "feature"),
  refused("exceptions", "unwind the stack by itself", "feature"),
  refused("reference_types", "hold references of the host", "feature"),
  refused("garbage_collection", "use the host's garbage collector", "feature"),
  refused("table_second", "have two tables", "table"),
  refused("table_large", "make the host allocate a table of a million", "table"),
  refused("data_at_null", "have the host write where nothing is mapped", "data_place"),
  refused("data_over_results", "answer before it was asked", "data_place"),
  refused("data_over_call_area", "have the host write into a read-only area for it", "data_place"),
  refused("data_beyond_end", "have the host write behind the memory", "data_place"),
  refused("data_at_global", "choose at run time where its data goes", ["data_place", "module_invalid"]),
  refused("element_beyond_table", "have the host write behind the table", "elements"),
  refused("abi_version_other", "run on a host of another ABI", "abi_version"),
  refused("abi_version_computed", "answer differently each time it is asked", "constant_export"),
  refused("state_bytes_loop", "hang whoever asks for the size of a slot", "constant_export"),
  refused("state_bytes_large", "take a megabyte for each flow", "state_bytes"),
  refused("state_bytes_negative", "have a slot of 4 GiB", "state_bytes"),
  refused("export_type_configure", "be called with arguments it does not take", "export_type"),
  refused("export_type_tick", "be called with half a number", "export_type"),
  refused("export_extra", "be started by what calls exports of well-known names", "export_unknown"),
  refused("export_realloc", "be called by component glue", "export_unknown"),
  refused("export_global", "let others change a global", "export_unknown"),
  refused("world_other", "be an NF without handling packets", "export_missing", { source: { text: "" }, omit: ["process-burst"] }),
];

const COUNTS: HostileEntry[] = [
  refused("many_functions", "keep the compiler busy with functions", "functions", {
    source: core((m) => times(LIMITS.functions_max, () => m.functions.push(m.functions[3]!) && m.bodies.push(body([])))),
  }),
  refused("many_types", "keep the compiler busy with types", "types", { source: core((m) => times(LIMITS.types_max, () => m.types.push(type([])))) }),
  refused("locals_bomb", "declare 4 billion locals in six bytes", ["locals", "module_invalid"], {
    source: core((m) => addFunction(m, body([], [[0xffffffff, I32]]))),
  }),
  refused("locals_many_runs", "declare locals in thousands of runs", "locals", {
    source: core((m) =>
      addFunction(
        m,
        body(
          [],
          times(5_000, () => [1, I32] as const),
        ),
      ),
    ),
  }),
  refused("nesting_bomb", "nest blocks until a recursive reader overflows its stack", "nesting", {
    source: core((m) => addFunction(m, body([...times(20_000, () => [0x02, 0x40]).flat(), ...times(20_000, () => END)]))),
  }),
  refused("br_table_bomb", "have a jump table of tens of thousands", "br_table", {
    source: core((m) => addFunction(m, body([0x02, 0x40, ...constant(0), 0x0e, 0xb0, 0xea, 0x01, ...times(30_001, () => 0), END]))),
  }),
  refused("many_data_segments", "scatter data", "data_segments", {
    source: core((m) => times(LIMITS.data_segments_max + 1, () => m.data.push(data(MODULE_BASE, 1)))),
  }),
  refused("long_function", "have one function of more than 64 KiB", "function_body", { source: core((m) => addFunction(m, body(times(70_000, () => NOP)))) }),
  refused("large_module", "fill the host's disk with a module", "module_bytes", {
    source: core((m) => times(18, () => addFunction(m, body(times(65_000, () => NOP))))),
  }),
  refused("many_results", "return dozens of values", "type_results", {
    source: core((m) =>
      m.types.push(
        type(
          [],
          times(40, () => I32),
        ),
      ),
    ),
  }),
  refused("many_exports", "fill tables of names", ["exports"], {
    source: core((m) => times(100, (i) => m.exports.push([2, 0x61 + (i % 26), 0x61 + Math.floor(i / 26), 0, 0]))),
  }),
  refused("forged_count", "announce 4 billion functions and have none", ["memory_missing", "module_malformed"], {
    source: { core: () => Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 3, 5, 0xff, 0xff, 0xff, 0xff, 0x0f) },
  }),
  refused("body_overruns", "have a body that reads on in the next one", "module_malformed", { source: core((m) => addFunction(m, [3, 0, 0x41, 0x80])) }),
  refused("stack_underflow", "take operands that it never pushed", "module_invalid", { source: core((m) => addFunction(m, body([0x6a, 0x1a]))) }),
  refused("type_confusion", "use a float as an address", "module_invalid", { source: core((m) => addFunction(m, body([0x43, 0, 0, 0, 0, 0x28, 2, 0, 0x1a]))) }),
];

const FILES: HostileEntry[] = [
  refused("native_object", "have native code loaded that nobody compiled here", "component_malformed", artifact(nativeObject)),
  refused(
    "native_object_as_core",
    "have native code taken for a core module",
    "module_malformed",
    artifact(() => bareComponent(nativeObject())),
  ),
  refused("core_module_alone", "skip what an artifact says about itself", "component_malformed", artifact(valid)),
  refused(
    "empty",
    "be nothing",
    "component_malformed",
    artifact(() => new Uint8Array()),
  ),
  refused(
    "truncated",
    "be cut off in the middle of its module",
    "component_malformed",
    artifact(async () => (await whole()).subarray(0, 100)),
  ),
  refused(
    "without_metadata",
    "be a component of the world that says nothing",
    "metadata_missing",
    artifact(() => wrapCore(valid())),
  ),
  refused(
    "two_modules",
    "have one module checked and another one run",
    "core_modules",
    artifact(() => concat([bareComponent(valid()), coreSection(valid())])),
  ),
  refused(
    "nested_component",
    "hide a module in a component inside",
    "nested_component",
    artifact(() => concat([bareComponent(valid()), section(4, bareComponent(valid()))])),
  ),
  refused(
    "two_manifests",
    "show one manifest and use another",
    "metadata_missing",
    artifact(() => concat([bareComponent(valid()), ...metadataSections({ manifest: metadataOf({ rights: { reply: true } }).manifest })])),
  ),
  refused(
    "large_component",
    "fill the host's memory with a file",
    "component_size",
    artifact(() => concat([bareComponent(valid()), customSection("x", new Uint8Array(LIMITS.component_bytes_max))])),
  ),
  refused(
    "deep_json",
    "exhaust the stack of who prints its schema",
    "component_malformed",
    artifact(() => withConfigSchema("[".repeat(100_000) + "]".repeat(100_000))),
  ),
  refused(
    "broken_json",
    "have a schema that is no JSON",
    "component_malformed",
    artifact(() => withConfigSchema("{]")),
  ),
  refused("manifest_escape", "clear the operator's terminal with its name", "manifest", {
    source: { core: valid },
    manifest: { name: "\u001b[2J\u001b]0;root\u0007" },
  }),
  refused("manifest_path", "have its entry read from outside of its folder", "manifest", {
    source: { core: valid },
    manifest: { entry: "../../../etc/passwd.ts" },
  }),
  refused("manifest_heap", "take more heap than any NF may", "manifest", { source: { core: valid }, manifest: { heap_pages: 1_000_000 } }),
  refused("manifest_emits", "send a thousand frames for each packet", "manifest", { source: { core: valid }, manifest: { rights: { emits: 1_000 } } }),
  refused("state_schema_lies", "describe a slot larger than it is", "state_schema", { source: { core: valid }, stateBytes: 64 }),
  refused("heap_undeclared", "take more heap than its manifest says", "heap_pages", {
    source: core((m) => (m.memories = [[1, 0x84, 0x80, 0x02, 0x84, 0x80, 0x02]])),
    stateBytes: 0,
  }),
  refused(
    "trailing_garbage",
    "carry bytes behind its end",
    "component_malformed",
    artifact(() => concat([bareComponent(valid()), Uint8Array.of(UNREACHABLE, 0xff, 0xff, 0xff, 0xff, 0x0f)])),
  ),
];

/** The head of a shared object for x86-64, as a cached native module begins, with sections that name what compiles them. */
function nativeObject(): Uint8Array {
  const bytes = Buffer.alloc(4096);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0], 0);
  bytes.writeUInt16LE(3, 16);
  bytes.writeUInt16LE(62, 18);
  bytes.write(".wasmtime.engine\0.text\0.rodata.wasm", 64);
  return bytes;
}

function withConfigSchema(json: string): Uint8Array {
  const { manifest, stateSchema } = metadataOf();
  return assembleComponent([coreSection(valid()), ...metadataSections({ manifest, stateSchema }), customSection("nfactor.config", Buffer.from(json))]);
}

export const REFUSED_ENTRIES: readonly HostileEntry[] = [...TEXTS, ...COUNTS, ...FILES];
