import { expect, it } from "vitest";
import { cpuNs, cpuNsOf, kibibytesOf, proportionalMib, residentMib } from "./usage.ts";

it("CPU time and memory are read from what the kernel writes", () => {
  expect(cpuNsOf("123456789012 42 7\n")).toBe(123456789012);
  expect(cpuNsOf("")).toBeNaN();
  expect(kibibytesOf("Name:\tVmRSS: 5 kB\nVmHWM:\t  9 kB\nVmRSS:\t  2048 kB\n", "VmRSS")).toBe(2 << 20);
  expect(kibibytesOf("Rss: 9 kB\nPss:    1024 kB\nPss_Anon: 7 kB\n", "Pss")).toBe(1 << 20);
});

it("this process has used some, and one that is not there none", () => {
  expect(cpuNs(process.pid)).toBeGreaterThan(1e6);
  expect(residentMib(process.pid)).toBeGreaterThan(10);
  expect(proportionalMib(process.pid)).toBeLessThanOrEqual(residentMib(process.pid) * 1.5);
  expect(cpuNs(2 ** 30)).toBe(0);
});
