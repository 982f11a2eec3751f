/**
 * Failed authentications by address. Guessing 256 bits is hopeless at any rate: the bound is there so that nobody makes the controller work and its log grow.
 * So who comes with a good token is let in also from an address that others have used up, as all of one machine, or behind one NAT, are the same address.
 */
import { isIPv6 } from "node:net";
import type { Clock } from "../store/index.ts";
import type { RestLimits } from "./limits.ts";

export class Failures {
  readonly #limits: RestLimits;
  readonly #clock: Clock;
  /** By address: how many there may still be, and when that was so. The one that failed last is the last one. */
  readonly #left = new Map<string, { left: number; atMs: number }>();

  constructor(limits: RestLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** One more. False when it is one too many. */
  note(address: string): boolean {
    const { failures, failureEveryMs, failureAddresses } = this.#limits;
    const network = networkOf(address);
    const known = this.#left.get(network);
    const atMs = this.#clock.nowMs();
    const left = known ? Math.min(failures, known.left + (atMs - known.atMs) / failureEveryMs) : failures;
    this.#left.delete(network);
    this.#left.set(network, { left: Math.max(0, left - 1), atMs });
    if (this.#left.size > failureAddresses) this.#left.delete(this.#left.keys().next().value!);
    return left >= 1;
  }
}

/** Whoever has an IPv6 address has 2^64 of them. */
export function networkOf(address: string): string {
  if (address.startsWith("::ffff:")) return address.slice("::ffff:".length);
  if (!isIPv6(address)) return address;
  const [head = "", tail = ""] = address.split("%")[0]!.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === "" ? [] : tail.split(":");
  const groups = address.includes("::") ? [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0"), ...last] : first;
  return groups.slice(0, 4).join(":");
}
