/** V8's WebAssembly, as far as the simulator uses it: Node's types do not describe it, and those of browsers would bring the whole DOM along. */
export interface WasmGlobal {
  value: number;
}
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
export interface WasmModule {
  readonly opaque: unique symbol;
}
interface Api {
  Module: new (binary: Uint8Array) => WasmModule;
  Instance: new (module: WasmModule) => { exports: Record<string, unknown> };
  RuntimeError: new () => Error;
}

export const wasm = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;
