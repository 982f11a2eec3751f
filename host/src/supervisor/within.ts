import { NfError } from "@nfactor/sdk/errors";

/** What `what` resolves to, or NfError host.socket with the words `otherwise` when that takes longer. */
export async function within<T>(ms: number, what: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => (timer = setTimeout(() => fail(new NfError("host.socket", otherwise)), ms)));
  try {
    return await Promise.race([what, late]);
  } finally {
    clearTimeout(timer);
  }
}
