/** Where end-to-end tests take place: networks of their own, which need root, as CI has. */
import { afterEach, beforeEach, describe } from "vitest";
import { ClusterLab } from "../../../scripts/lib/cluster_lab.ts";
import { NetworkLab } from "../../../scripts/lib/network_lab.ts";

/** Tests that need network namespaces; skipped, which is said, where they cannot be made. */
export function describeAsRoot(title: string, tests: () => void): void {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) console.log(`skipped: '${title}' needs root for network namespaces`);
  describe.skipIf(!isRoot)(title, tests);
}

/** Each test's own network and controller; what the latter has deployed ends with it. */
export function clusterForEach(): { readonly lab: NetworkLab; readonly cluster: ClusterLab } {
  let lab: NetworkLab;
  let cluster: ClusterLab;
  beforeEach(() => {
    lab = new NetworkLab();
    cluster = new ClusterLab(lab);
  });
  afterEach(async () => {
    await cluster.close();
    lab.close();
  });
  return {
    get lab() {
      return lab;
    },
    get cluster() {
      return cluster;
    },
  };
}
