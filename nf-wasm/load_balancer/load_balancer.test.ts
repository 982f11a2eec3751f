// Which flows get which backend, and what becomes of the others. What packets look like is in translation.test.ts, how flows are spread in
// maglev.test.ts; connections through a change of the set are tested on a live host (test/e2e).
import { describe, expect, test } from "vitest";
import { StartError } from "@nfactor/sdk/simulator";
import { type TestChain, icmpEcho, icmpError, ip, loadChain, loadNf, tcp, tupleText, udp } from "@nfactor/sdk/test";

const HERE = import.meta.dirname;
const SERVER = { port: "server" } as const;
const WEB = { addresses: ["198.51.100.1", "198.51.100.2"], protocol: "tcp", port: 80, backends: [{ address: "10.9.0.1", port: 8080 }] };
const DNS = { addresses: ["198.51.100.1"], protocol: "udp", port: 53, backends: [{ address: "10.9.0.2" }] };
const WEB6 = { addresses: ["2001:db8::1"], protocol: "tcp", port: 80, backends: [{ address: "fd00::9:1", port: 8080 }] };
const CONFIG = { services: [WEB, DNS, WEB6] };

const outOf = (nf: TestChain, frame: Uint8Array): string => {
  const verdict = nf.sendOne(frame);
  return String(verdict) === "FORWARD" ? tupleText(verdict.frame) : String(verdict);
};

describe("services", () => {
  test("by address, protocol and port", async () => {
    const nf = await loadNf(HERE, CONFIG);
    expect(outOf(nf, tcp("10.0.0.1:5000 > 198.51.100.1:80", { flags: "S" }))).toBe("tcp 10.0.0.1:5000 > 10.9.0.1:8080");
    expect(outOf(nf, tcp("10.0.0.1:5001 > 198.51.100.2:80", { flags: "S" }))).toBe("tcp 10.0.0.1:5001 > 10.9.0.1:8080");
    expect(outOf(nf, udp("10.0.0.1:5000 > 198.51.100.1:53"))).toBe("udp 10.0.0.1:5000 > 10.9.0.2:53");
    expect(outOf(nf, tcp("[fd00::1]:5000 > [2001:db8::1]:80", { flags: "S" }))).toBe(tupleText(tcp("[fd00::1]:5000 > [fd00::9:1]:8080")));
    expect(nf.flow("udp 10.0.0.1:5000 > 198.51.100.1:53").state).toMatchObject({
      mode: 1,
      service: 2,
      backend: 2,
      backendAddress: 0x0a090002,
      backendPort: 53,
    });
    expect(nf.counters()).toMatchObject({ opened: 4n, unmatched: 0n, no_backend: 0n, backend_1: 2n, backend_2: 1n, backend_3: 1n, backend_4: 0n });
  });

  const others: [string, Uint8Array][] = [
    ["another port", tcp("10.0.0.1:5 > 198.51.100.1:81", { flags: "S" })],
    ["another protocol", udp("10.0.0.1:5 > 198.51.100.1:80")],
    ["another address", tcp("10.0.0.1:5 > 198.51.100.3:80", { flags: "S" })],
    ["a backend itself", tcp("10.0.0.1:5 > 10.9.0.1:8080", { flags: "S" })],
    ["a ping of a service", icmpEcho("10.0.0.1 > 198.51.100.1")],
    ["SCTP", ip("10.0.0.1 > 198.51.100.1", 132, [0, 5, 0, 80, ...Array<number>(8).fill(0)])],
    ["IPv6 to an address that is IPv4's in mapped form", tcp("[::1:2]:5 > [::ffff:198.51.100.1]:80", { flags: "S" })],
  ];
  test.each(others)("%s is none: forward or drop", async (_, frame) => {
    const nf = await loadNf(HERE, CONFIG);
    expect(nf.sendOne(frame).frame).toEqual(frame);
    expect(nf.counters()).toMatchObject({ opened: 0n, unmatched: 1n });
    const dropping = await loadNf(HERE, { ...CONFIG, unmatched: "drop" });
    expect(outOf(dropping, frame)).toBe("DROP no_service");
    expect(outOf(dropping, frame)).toBe("DROP flow_refused");
  });

  test("flows that the server side begins are none, to whatever they go", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const frame = tcp("10.9.0.1:5 > 198.51.100.1:80", { flags: "S" });
    expect(nf.sendOne(frame, SERVER).frame).toEqual(frame);
    const answer = tcp("198.51.100.1:80 > 10.9.0.1:5", { flags: "SA" });
    expect(nf.sendOne(answer).frame).toEqual(answer);
    expect(nf.counters()).toMatchObject({ opened: 0n, unmatched: 1n });
  });
});

describe("without a backend", () => {
  test.each([
    ["none in the list", []],
    ["one of weight 0", [{ address: "10.9.0.2", weight: 0 }]],
    ["one that is unhealthy", [{ address: "10.9.0.2", healthy: false }]],
  ])("%s: new flows are refused and counted", async (_, backends) => {
    const nf = await loadNf(HERE, { services: [{ ...DNS, backends }] });
    expect(outOf(nf, udp("10.0.0.1:5 > 198.51.100.1:53"))).toBe("DROP no_backend");
    expect(outOf(nf, udp("10.0.0.1:5 > 198.51.100.1:53"))).toBe("DROP flow_refused");
    nf.advance(1010);
    expect(outOf(nf, udp("10.0.0.1:5 > 198.51.100.1:53"))).toBe("DROP no_backend"); // asked again
    expect(nf.counters()).toMatchObject({ opened: 0n, no_backend: 2n, unmatched: 0n });
    expect(nf.packets.dropped).toEqual({ "load_balancer.no_backend": 2, flow_refused: 1 });
  });
});

describe("from the servers' side", () => {
  test("only the flow's backend, from its port, answers as the service", async () => {
    const nf = await loadNf(HERE, CONFIG);
    outOf(nf, udp("10.0.0.1:5 > 198.51.100.1:53"));
    const answer = nf.sendOne(udp("10.9.0.2:53 > 10.0.0.1:5"), SERVER);
    expect(tupleText(answer.frame)).toBe("udp 198.51.100.1:53 > 10.0.0.1:5");
    expect(String(nf.sendOne(udp("198.51.100.1:53 > 10.0.0.1:5"), SERVER))).toBe("DROP unsolicited"); // the service's address, unasked
    for (const path of ["10.9.0.2:54 > 10.0.0.1:5", "10.9.0.3:53 > 10.0.0.1:5"]) {
      expect(tupleText(nf.sendOne(udp(path), SERVER).frame)).toBe(`udp ${path}`); // flows of their own, to no service
    }
    expect(nf.flow("udp 10.0.0.1:5 > 198.51.100.1:53").packets).toEqual([1, 2]);
  });
});

test("a backend with the service's address on another port: only that port answers", async () => {
  const nf = await loadNf(HERE, { services: [{ ...DNS, backends: [{ address: "198.51.100.1", port: 5353 }] }] });
  expect(outOf(nf, udp("10.0.0.1:5 > 198.51.100.1:53"))).toBe("udp 10.0.0.1:5 > 198.51.100.1:5353");
  expect(tupleText(nf.sendOne(udp("198.51.100.1:5353 > 10.0.0.1:5"), SERVER).frame)).toBe("udp 198.51.100.1:53 > 10.0.0.1:5");
  expect(String(nf.sendOne(udp("198.51.100.1:53 > 10.0.0.1:5"), SERVER))).toBe("DROP unsolicited");
});

test("behind nat44 two clients' flows to one backend stay apart, and the backend is chosen by the clients' own addresses", async () => {
  const backends = Array.from({ length: 6 }, (_, i) => ({ address: `10.9.0.${i + 1}` }));
  const balancer = { folder: HERE, config: { services: [{ ...DNS, backends }] } };
  const nat = { folder: `${HERE}/../nat44`, config: { addresses: ["192.0.2.1"] } };
  const [alone, chain] = [await loadChain([balancer]), await loadChain([nat, balancer])];
  for (let i = 1; i < 60; i++) {
    const path = `10.0.0.${i}:5000 > 198.51.100.1:53`;
    const backend = outOf(alone, udp(path)).split(" > ")[1]!;
    expect(outOf(chain, udp(path))).toBe(`udp 192.0.2.1:${1023 + i} > ${backend}`);
    expect(tupleText(chain.sendOne(udp(`${backend} > 192.0.2.1:${1023 + i}`), SERVER).frame)).toBe(`udp 198.51.100.1:53 > 10.0.0.${i}:5000`);
  }
  const about = chain.sendOne(udp("10.0.0.1:5000 > 198.51.100.1:53")).frame;
  const error = chain.sendOne(icmpError(about), SERVER).frame;
  expect(error).toEqual(icmpError(udp("10.0.0.1:5000 > 198.51.100.1:53")));
});

async function complaint(config: object): Promise<string> {
  const error: unknown = await loadNf(HERE, config).catch((thrown: unknown) => thrown);
  return error instanceof StartError ? error.lines.join("\n") : String(error);
}

const of = (change: object) => ({ services: [{ ...DNS, ...change }] });
const backend = (change: object) => of({ backends: [{ address: "10.9.0.2", ...change }] });
test.each([
  [/services/, {}],
  [/services\[0\]\.addresses: config\.field: at least one/, of({ addresses: [] })],
  [/addresses\[0\]/, of({ addresses: ["10.0.0"] })],
  [/services\[0\]\.addresses\[0\]: config\.prefix: '224\.0\.0\.1' is no address that one host has/, of({ addresses: ["224.0.0.1"] })],
  [/services\[0\]\.addresses\[1\]: config\.prefix.*all IPv6/, of({ addresses: ["198.51.100.1", "2001:db8::1"] })],
  [/services\[0\]\.addresses\[1\]: config\.field: service 1 has this address and port/, of({ addresses: ["198.51.100.1", "198.51.100.1"] })],
  [/services\[2\]\.addresses\[0\]: config\.field: service 1 has this/, { services: [DNS, WEB, DNS] }],
  [/protocol/, of({ protocol: "sctp" })],
  [/port/, of({ port: 0 })],
  [/services\[0\]\.backends\[0\]\.address: config\.prefix: 'fd00::1': all addresses of a service are IPv4/, backend({ address: "fd00::1" })],
  [/no address that one host has/, backend({ address: "0.0.0.0" })],
  [/weight/, backend({ weight: 101 })],
  [/port/, backend({ port: 65_536 })],
  [/backends\[2\]\.address.*in the list before/, of({ backends: [{ address: "10.9.0.2" }, { address: "10.9.0.3" }, { address: "10.9.0.2", port: 53 }] })],
  [/unmatched/, { ...CONFIG, unmatched: "pass" }],
  [/tableSize: config\.field: 65535 is no prime/, { ...CONFIG, tableSize: 65_535 }],
  [/tableSize/, { ...CONFIG, tableSize: 65_539 }],
  [/ten times/, { ...of({ backends: Array.from({ length: 2 }, (_, i) => ({ address: `10.9.0.${i}` })) }), tableSize: 11 }],
  [/tableSize: config\.too_large: for so many services at most 63551/, { services: Array.from({ length: 33 }, (_, i) => ({ ...DNS, port: i + 1 })) }],
])("a configuration that makes no sense: %s", async (message, config) => {
  expect(await complaint(config)).toMatch(message);
});

test("the largest configurations start", async () => {
  const backends = Array.from({ length: 1024 }, (_, i) => ({ address: `10.9.${i >> 8}.${i & 255}`, weight: i === 0 ? 100 : 1 }));
  const many = Array.from({ length: 32 }, (_, i) => ({ ...DNS, port: 53 + i, backends: backends.slice(0, 1 + 31 * (i + 1)) }));
  const nf = await loadNf(HERE, { services: many });
  expect(outOf(nf, udp("10.0.0.1:5 > 198.51.100.1:84"))).toMatch(/^udp 10\.0\.0\.1:5 > 10\.9\.\d+\.\d+:84$/);
  const small = Array.from({ length: 1024 }, (_, i) => ({ ...DNS, port: 1 + i }));
  const other = await loadNf(HERE, { services: small, tableSize: 2039 });
  expect(outOf(other, udp("10.0.0.1:5 > 198.51.100.1:1024"))).toBe("udp 10.0.0.1:5 > 10.9.0.2:1024");
});
