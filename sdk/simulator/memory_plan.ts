/** Which parts of an instance's memory its NF may read and write: the areas of docs/abi.md, cut to whole pages of 4 KiB as natively. */
import { AREAS, LIMITS, PAGE_BYTES } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import type { Rights } from "../manifest/manifest.ts";

const MAPPED_PAGE = 4096;

/** Guest addresses from `start` up to and without `end`. */
export interface Range {
  start: number;
  end: number;
}

export interface MemoryPlan {
  readable: Range[];
  writable: Range[];
}

export interface MemoryNeeds {
  rights: Rights;
  configBytes: number;
  /** Of one slot, as the module says. */
  stateBytes: number;
  flowsMax: number;
  heapPages: number;
}

/** Bytes from one slot to the next. */
export function slotStride(stateBytes: number): number {
  return Math.ceil(stateBytes / LIMITS.state_align) * LIMITS.state_align;
}

/** Throws NfError state.too_large when the slots do not fit the state area. */
export function planMemory({ rights, configBytes, stateBytes, flowsMax, heapPages }: MemoryNeeds): MemoryPlan {
  const stateStore = slotStride(stateBytes) * flowsMax;
  if (stateStore > AREAS.state.bytes) {
    throw new NfError("state.too_large", `${flowsMax} flows of ${slotStride(stateBytes)} bytes exceed the state store`, {
      allowed: `${Math.floor(AREAS.state.bytes / slotStride(stateBytes))} flows at most`,
      fix: "Lower flows.max.",
    });
  }
  const writable: Range[] = [area("result"), area("state", stateStore), area("module", heapPages * PAGE_BYTES)];
  const readable: Range[] = [area("call"), area("config", configBytes), area("staging")];
  (rights.edit === "none" ? readable : writable).push(area("header"));
  if (rights.view === "payload") (rights.edit === "payload" ? writable : readable).push(area("payload"));
  if (rights.emits > 0) writable.push(area("emit"));
  return { readable: merged([...readable, ...writable]), writable: merged(writable) };
}

function area(name: keyof typeof AREAS, bytes: number = AREAS[name].bytes): Range {
  const start = AREAS[name].address;
  return { start, end: start + Math.ceil(bytes / MAPPED_PAGE) * MAPPED_PAGE };
}

/** Sorted, without empty ones; neighbours become one, so that an access across their border is allowed. */
function merged(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (start === end) continue;
    if (last && last.end === start) last.end = end;
    else out.push({ start, end });
  }
  return out;
}
