/** Values of the native part as its JSON has them, which knows neither 64-bit numbers nor bytes. */
import { z } from "zod";

export const amount = z.int().min(0);
export const big = z
  .string()
  .regex(/^\d{1,20}$/, "a 64-bit number in decimal is expected")
  .transform(BigInt);
export const hex = z
  .string()
  .regex(/^(?:[0-9a-f]{2})*$/, "hex is expected")
  .transform((text) => new Uint8Array(Buffer.from(text, "hex")));
