/**
 * 64-bit integers as two int32 words, for interpreters that keep registers in an Int32Array: the operations that address arithmetic
 * and loop counters need, without BigInt. Results are the low word; the high word is left in {@link highResult}.
 *
 * One module-level cell for the second result avoids an allocation each operation; read it before the next call.
 */
import { mulHiU32 } from './integer32.ts';

let high = 0;

/** The high word of the last operation's result, int32. */
export function highResult(): number {
  return high;
}

/** (a + b) modulo 2^64; returns the low word. */
export function addWords(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  const low = (aLow >>> 0) + (bLow >>> 0);
  high = (aHigh + bHigh + (low > 4294967295 ? 1 : 0)) | 0;
  return low | 0;
}

/** (a - b) modulo 2^64; returns the low word. */
export function subWords(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  const low = (aLow >>> 0) - (bLow >>> 0);
  high = (aHigh - bHigh - (low < 0 ? 1 : 0)) | 0;
  return low | 0;
}

/** (a * b) modulo 2^64; returns the low word. */
export function mulWords(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  high = (mulHiU32(aLow, bLow) + Math.imul(aLow, bHigh) + Math.imul(aHigh, bLow)) | 0;
  return Math.imul(aLow, bLow);
}

/** `mul.wide.u32`; returns the low word. */
export function mulWideWordsU32(a: number, b: number): number {
  high = mulHiU32(a, b);
  return Math.imul(a, b);
}

/** `mul.wide.s32`; returns the low word. */
export function mulWideWordsS32(a: number, b: number): number {
  high = (mulHiU32(a, b) - ((a | 0) < 0 ? b | 0 : 0) - ((b | 0) < 0 ? a | 0 : 0)) | 0;
  return Math.imul(a, b);
}

/** `shl.b64` by a u32 amount, 0 above 63; returns the low word. */
export function shlWords(low: number, highWord: number, amount: number): number {
  const n = amount >>> 0;
  if (n === 0) {
    high = highWord | 0;
    return low | 0;
  }
  if (n >= 32) {
    high = n > 63 ? 0 : low << (n - 32);
    return 0;
  }
  high = (highWord << n) | (low >>> (32 - n));
  return low << n;
}

/** `shr.u64` / `shr.s64` by a u32 amount, filling with zeros or the sign; returns the low word. */
export function shrWords(low: number, highWord: number, amount: number, signed: boolean): number {
  const n = amount >>> 0;
  const fill = signed ? highWord >> 31 : 0;
  if (n === 0) {
    high = highWord | 0;
    return low | 0;
  }
  if (n > 63) {
    high = fill;
    return fill;
  }
  if (n >= 32) {
    high = fill;
    return n === 32 ? highWord | 0 : (signed ? highWord >> (n - 32) : highWord >>> (n - 32)) | 0;
  }
  high = (signed ? highWord >> n : highWord >>> n) | 0;
  return (low >>> n) | (highWord << (32 - n));
}

/** -1, 0 or 1 as a is below, equal to or above b. */
export function compareWords(aLow: number, aHigh: number, bLow: number, bHigh: number, signed: boolean): number {
  const ah = signed ? aHigh | 0 : aHigh >>> 0;
  const bh = signed ? bHigh | 0 : bHigh >>> 0;
  if (ah !== bh) return ah < bh ? -1 : 1;
  const al = aLow >>> 0;
  const bl = bLow >>> 0;
  return al === bl ? 0 : al < bl ? -1 : 1;
}
