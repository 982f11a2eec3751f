/**
 * Damaged artifacts: cut off at every byte, bits flipped, bytes inserted and removed, sections shuffled. Whatever comes out, the check ends with a
 * verdict, and what it admits is valid for V8 and fits the world. Random choices come from a fixed seed, so that a failure repeats.
 */
import { describe, expect, it } from "vitest";
import { wrapCore } from "../pack/index.ts";
import { sections } from "../pack/wasm_reader.ts";
import { Random } from "../testkit/random.ts";
import { type Admission, checkComponent } from "./check.ts";
import { bareComponent, wholeComponent } from "./testing/artifact.ts";
import { END, I32, addFunction, body, constant, data, encodeModule, exported, type, validModule } from "./testing/raw_module.ts";

const v8 = (globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean } }).WebAssembly;

/** A module with something in every section and most kinds of instructions. */
function richModule(): Uint8Array {
  const module = validModule();
  module.tables.push([0x70, 1, 2, 2]);
  module.globals.push([I32, 1, ...constant(5), END], [0x7e, 0, 0x42, 0x7f, END]);
  const tick = addFunction(module, body([0x02, 0x40, 0x03, 0x40, ...constant(1), 0x0d, 1, ...constant(0), 0x0e, 1, 0, 1, END, END], [[2, I32]]), type([0x7e]));
  const callee = addFunction(module, body([0x20, 0, ...constant(-1), 0x6a, 0xc0, ...constant(0), 0x28, 2, 4, 0x6a]), type([I32], [I32]));
  addFunction(module, body([...constant(7), ...constant(1), 0x11, module.functions[callee]!, 0, 0x1a, 0x43, 0, 0, 0x80, 0x3f, 0xfc, 0, 0x1a]));
  module.elements.push([0, ...constant(0), END, 2, tick, callee]);
  module.data.push(data(0x80000000, 16), data(0x80000100, 3));
  module.exports.push(exported("tick", 0, tick));
  return encodeModule(module);
}

async function expectSound(bytes: Uint8Array, what: string): Promise<Admission> {
  const admission = await checkComponent(bytes);
  expect(admission.ok, what).toBe(admission.refusals.length === 0);
  if (admission.nf) {
    expect(v8.validate(admission.nf.core), what).toBe(true);
    await expect(wrapCore(admission.nf.core), what).resolves.toBeInstanceOf(Uint8Array);
  }
  return admission;
}

describe("damaged artifacts", () => {
  it("the undamaged one is admitted", async () => {
    const { refusals } = await checkComponent(await wholeComponent(richModule()));
    expect(refusals).toEqual([]);
  });

  it("cut off at any byte: refused", async () => {
    const whole = await wholeComponent(richModule());
    for (let length = 0; length < whole.length; length++) {
      const { ok } = await expectSound(whole.subarray(0, length), `cut at ${length}`);
      expect(ok, `cut at ${length}`).toBe(false);
    }
  });

  it("the core module cut off at any byte, in an intact component: refused, but where only the data is gone", async () => {
    const core = richModule();
    const admitted: number[] = [];
    for (let length = 0; length < core.length; length++) {
      if ((await expectSound(bareComponent(core.subarray(0, length)), `cut at ${length}`)).ok) admitted.push(length);
    }
    expect(admitted).toEqual([[...sections(core)].find(({ id }) => id === 11)!.head]);
  });

  it("every single bit of the core module flipped: admitted only when sound", async () => {
    const whole = await wholeComponent(richModule());
    const inner = [...sections(whole)].find(({ id }) => id === 1)!;
    let refused = 0;
    for (let bit = inner.start * 8; bit < inner.end * 8; bit++) {
      const damaged = whole.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const { ok } = await expectSound(damaged, `bit ${bit}`);
      if (!ok) refused++;
    }
    // Most bits matter; constants and custom sections are what may change.
    expect(refused).toBeGreaterThan((inner.end - inner.start) * 4);
  });

  it("several random changes anywhere: a verdict, and admitted only when sound", async () => {
    const whole = await wholeComponent(richModule());
    const random = new Random(0x5eed);
    for (let round = 0; round < 1_500; round++) {
      let bytes = [...whole];
      for (let change = random.below(6); change >= 0; change--) {
        const at = random.below(bytes.length);
        switch (random.below(5)) {
          case 0:
            bytes[at]! ^= 1 << random.below(8);
            break;
          case 1:
            bytes[at] = [0x00, 0x7f, 0x80, 0xff, 0x0b, 0x40][random.below(6)]!;
            break;
          case 2:
            bytes.splice(at, 1 + random.below(8));
            break;
          case 3:
            bytes.splice(at, 0, ...Array.from({ length: 1 + random.below(8) }, () => random.below(256)));
            break;
          default: {
            const from = random.below(bytes.length);
            bytes = [...bytes.slice(0, at), ...bytes.slice(from, from + 32), ...bytes.slice(at)];
          }
        }
        if (bytes.length === 0) bytes = [0];
      }
      await expectSound(Uint8Array.from(bytes), `round ${round}`);
    }
  });

  it("random instructions in a body: admitted only when sound", async () => {
    const random = new Random(0xc0de);
    let admitted = 0;
    for (let round = 0; round < 1_500; round++) {
      const module = validModule();
      const code = Array.from({ length: random.below(6) }, () =>
        random.below(4) === 0 ? [random.below(256)] : [[0x01], [...constant(random.below(1000)), 0x1a], [0x02, 0x40, END], [0x00]][random.below(4)]!,
      ).flat();
      addFunction(module, body(code));
      if ((await expectSound(bareComponent(encodeModule(module)), `round ${round}`)).ok) admitted++;
    }
    expect(admitted).toBeGreaterThan(100);
    expect(admitted).toBeLessThan(1_400);
  });
});
