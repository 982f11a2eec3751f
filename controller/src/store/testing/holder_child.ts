/** The other process of a test: opens the store in the file it is given, writes one key, says `held`, and keeps it until its input ends. */
import { writeSync } from "node:fs";
import { openSqliteStore } from "../index.ts";

const store = openSqliteStore(process.argv[2]!);
await store.txn({ then: [{ op: "put", key: "held", value: new Uint8Array() }] });
writeSync(1, "held\n");
process.stdin.resume().on("end", () => void store.close());
