/**
 * The pattern that outputs and workspaces hold before a call: what was never written shows, and cannot be right by luck.
 * Each 32-bit word is a NaN as float32 (and a huge number in every other type), with a payload drawn from the seed.
 */

/** The poison word of a seed. */
export function poisonWord(seed: number): number {
  let mixed = (seed ^ 0x9e3779b9) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (0x7fc00000 | ((mixed ^ (mixed >>> 16)) & 0x3fffff)) >>> 0;
}
