// Random numbers that replay: a function of the flow's seed, the packet's number in its flow, and a salt.
import { Packet } from "./packet";

/** 64 random bits (splitmix64). Same flow, packet and salt: same bits. Use another salt for a second number. */
export function random(p: Packet, salt: u32 = 0): u64 {
  let z = p.flow.seed + ((<u64>p.sequence + 1) | ((<u64>salt) << 32)) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
