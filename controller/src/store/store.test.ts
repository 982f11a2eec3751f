import { join } from "node:path";
import { openMemoryStore, openSqliteStore } from "./index.ts";
import { storeConformance } from "./testing/conformance.ts";
import { ManualClock } from "@nfactor/host/manual_clock";
import { freshFolder } from "./testing/folder.ts";
import { afterEach } from "vitest";
import type { Store } from "./store.ts";

const open: Store[] = [];
const paths = new Map<Store, string>();

afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  paths.clear();
});

storeConformance({
  name: "memory",
  async open(limits = {}) {
    const clock = new ManualClock();
    return { clock, store: openMemoryStore({ clock, limits }) };
  },
  reopen: undefined,
});

function openSqlite(path: string, limits = {}) {
  const clock = new ManualClock();
  const store = openSqliteStore(path, { clock, limits });
  open.push(store);
  paths.set(store, path);
  return { clock, store };
}

storeConformance({
  name: "SQLite",
  open: async (limits) => openSqlite(join(freshFolder(), "store.db"), limits),
  async reopen({ store }) {
    await store.close();
    return openSqlite(paths.get(store)!);
  },
});
