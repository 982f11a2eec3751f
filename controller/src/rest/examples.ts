/** Values for examples: a cluster with a tenant blue, its deployment web, a host h1, and NF firewall 1.0.0. */
import type { Route } from "./route.ts";

export const PARAM_EXAMPLES: Readonly<Record<string, string>> = {
  tenant: "blue",
  deployment: "web",
  host: "h1",
  nf: "firewall",
  reference: "firewall@1.0.0",
  id: "5f2c9a7be01d3348",
};

/** `more` in place of what the route's example has. */
export function pathOf({ path, example }: Route, more: Readonly<Record<string, string>> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(more[name] ?? example.params?.[name] ?? PARAM_EXAMPLES[name]!).replaceAll("%40", "@"),
  );
}
