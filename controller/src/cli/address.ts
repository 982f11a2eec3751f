/** Where an API is: `http://127.0.0.1:7780`, `https://…`, or `unix:/run/nfactor/api.sock`. */
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";

export type ApiAddress =
  | { readonly kind: "unix"; readonly path: string; readonly shown: string }
  | { readonly kind: "http" | "https"; readonly host: string; readonly port: number; readonly prefix: string; readonly shown: string };

/** Throws NfError (usage). */
export function parseAddress(text: string): ApiAddress {
  const path = /^unix:(\/.{1,106})$/.exec(text)?.[1];
  if (path !== undefined) return { kind: "unix", path, shown: safeText(text) };
  const url = /^https?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw new NfError("usage", `'${safeText(text, 200)}' is no address of an API`, {
      allowed: "http://<host>:<port>, https://<host>:<port>, or unix:<path of a socket>",
    });
  const kind = url.protocol === "https:" ? "https" : "http";
  return {
    kind,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (kind === "https" ? 443 : 80) : Number(url.port),
    prefix: url.pathname.replace(/\/+$/, ""),
    shown: `${url.protocol}//${url.host}`,
  };
}
