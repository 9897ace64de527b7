/**
 * Bit manipulation of PTX on 32 bits (ISA 9.7.1, 9.7.8): shifts with PTX's clamping, funnel shifts, bit fields, byte
 * permutation, counting, searching, masks. Operands are int32 or uint32 numbers, results int32 patterns unless said otherwise.
 */

/** `shl.b32`: amounts above 31 give 0. WASM masks its amount: `select(0, a << b, b > 31u)`. */
export function shl32(a: number, b: number): number {
  return b >>> 0 > 31 ? 0 : a << b;
}

/** `shr.{u32,b32}`: amounts above 31 give 0. */
export function shrU32(a: number, b: number): number {
  return b >>> 0 > 31 ? 0 : (a >>> b) | 0;
}

/** `shr.s32`: amounts above 31 fill with the sign. WASM: `a >> min_u(b, 31)`. */
export function shrS32(a: number, b: number): number {
  return b >>> 0 > 31 ? a >> 31 : a >> b;
}

export function shl16(a: number, b: number): number {
  return b >>> 0 > 15 ? 0 : (a << b) & 0xffff;
}

export function shrU16(a: number, b: number): number {
  return b >>> 0 > 15 ? 0 : (a & 0xffff) >>> b;
}

export function shrS16(a: number, b: number): number {
  return (((a << 16) >> 16) >> (b >>> 0 > 15 ? 15 : b)) & 0xffff;
}

/** How `shf`, `bmsk` and `szext` treat amounts of 32 and more. */
export type ShiftMode = 'clamp' | 'wrap';

/** `shf.l.mode.b32 d, a, b, c`: upper word of the 64-bit {b, a} shifted left. */
export function shfL(a: number, b: number, c: number, mode: ShiftMode): number {
  const n = mode === 'wrap' ? c & 31 : Math.min(c >>> 0, 32);
  if (n === 0) return b | 0;
  return n === 32 ? a | 0 : (b << n) | (a >>> (32 - n));
}

/** `shf.r.mode.b32 d, a, b, c`: lower word of the 64-bit {b, a} shifted right. */
export function shfR(a: number, b: number, c: number, mode: ShiftMode): number {
  const n = mode === 'wrap' ? c & 31 : Math.min(c >>> 0, 32);
  if (n === 0) return a | 0;
  return n === 32 ? b | 0 : (b << (32 - n)) | (a >>> n);
}

/** A mask of the lowest n bits, 0 <= n; 32 and more give all ones. */
function lowMask(n: number): number {
  return n >= 32 ? -1 : (1 << n) - 1;
}

/** `bfe.u32 d, a, b, c`: c bits of a from bit b (both taken modulo 256), zero-extended; bits beyond the msb are 0. */
export function bfeU32(a: number, b: number, c: number): number {
  return shrU32(a, b & 0xff) & lowMask(c & 0xff);
}

/** `bfe.s32`: padded with the sign of the extracted field, bit min(pos + len - 1, 31) of a. Length 0 gives 0. */
export function bfeS32(a: number, b: number, c: number): number {
  const pos = b & 0xff;
  const len = c & 0xff;
  if (len === 0) return 0;
  // Beyond bit 31 the sign bit is a's own, which is what an arithmetic shift brings in.
  const field = shrS32(a, pos);
  return len >= 32 || pos + len > 31 ? field : (field << (32 - len)) >> (32 - len);
}

/** `bfi.b32 f, a, b, c, d`: the low d bits of a inserted into b at bit c (both modulo 256). */
export function bfi32(a: number, b: number, c: number, d: number): number {
  const pos = c & 0xff;
  const mask = shl32(lowMask(d & 0xff), pos);
  return (b & ~mask) | (shl32(a, pos) & mask);
}

/** Modes of `prmt`; undefined is the generic form. */
export type PermuteMode = 'f4e' | 'b4e' | 'rc8' | 'ecl' | 'ecr' | 'rc16';

/** Source bytes (of {b7..b0}) for target bytes 3..0, indexed by the two low bits of c (PTX ISA 9.7.9 prmt, table). */
const PERMUTE_SELECTORS: Readonly<Record<PermuteMode, readonly [number, number, number, number]>> = {
  f4e: [0x3210, 0x4321, 0x5432, 0x6543],
  b4e: [0x5670, 0x6701, 0x7012, 0x0123],
  rc8: [0x0000, 0x1111, 0x2222, 0x3333],
  ecl: [0x3210, 0x3211, 0x3222, 0x3333],
  ecr: [0x0000, 0x1110, 0x2210, 0x3210],
  rc16: [0x1010, 0x3232, 0x1010, 0x3232],
};

/** `prmt.b32{.mode} d, a, b, c`. In the generic form bit 3 of a selector replicates the byte's sign. */
export function prmt(a: number, b: number, c: number, mode?: PermuteMode): number {
  const selectors = mode === undefined ? c : PERMUTE_SELECTORS[mode][(c & 3) as 0 | 1 | 2 | 3];
  let result = 0;
  for (let i = 0; i < 4; i++) {
    const selector = (selectors >>> (4 * i)) & 0xf;
    const byte = ((selector & 4) !== 0 ? b >>> (8 * (selector & 3)) : a >>> (8 * (selector & 3))) & 0xff;
    const value = (selector & 8) === 0 ? byte : (byte & 0x80) !== 0 ? 0xff : 0;
    result |= value << (8 * i);
  }
  return result;
}

/** `brev.b32`: bits in reverse order. */
export function brev32(a: number): number {
  let x = a;
  x = ((x >>> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >>> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >>> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  x = ((x >>> 8) & 0x00ff00ff) | ((x & 0x00ff00ff) << 8);
  return (x >>> 16) | (x << 16);
}

/** `clz.b32`: 32 for 0. WASM: `i32.clz`. */
export function clz32(a: number): number {
  return Math.clz32(a);
}

/** `popc.b32`. WASM: `i32.popcnt`. */
export function popc32(a: number): number {
  let x = a - ((a >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * `bfind{.shiftamt}.{u32,s32}`: position of the most significant bit that is not a copy of the sign; -1 (0xffffffff)
 * when there is none. With shiftamt, the left shift that brings it to bit 31.
 * WASM: `31 - clz(x)`; shiftamt: `select(-1, clz(x), x == 0)`; signed: x = a ^ (a >> 31).
 */
export function bfind32(a: number, signed: boolean, shiftamt = false): number {
  const x = signed ? a ^ (a >> 31) : a;
  const zeros = Math.clz32(x);
  if (zeros === 32) return -1;
  return shiftamt ? zeros : 31 - zeros;
}

/** `lop3.b32 d, a, b, c, immLut`: any three-input logic function; bit (a<<2 | b<<1 | c) of the table is the result. */
export function lop3(a: number, b: number, c: number, table: number): number {
  let result = 0;
  if ((table & 0x01) !== 0) result |= ~a & ~b & ~c;
  if ((table & 0x02) !== 0) result |= ~a & ~b & c;
  if ((table & 0x04) !== 0) result |= ~a & b & ~c;
  if ((table & 0x08) !== 0) result |= ~a & b & c;
  if ((table & 0x10) !== 0) result |= a & ~b & ~c;
  if ((table & 0x20) !== 0) result |= a & ~b & c;
  if ((table & 0x40) !== 0) result |= a & b & ~c;
  if ((table & 0x80) !== 0) result |= a & b & c;
  return result;
}

/**
 * `fns.b32 d, mask, base, offset`: position of the |offset|-th set bit from `base`, upwards when offset > 0, downwards when
 * below 0; base itself counts. Offset 0 tests base alone. -1 when not found. `base` above 31 is undefined in PTX; here not found.
 */
export function fns(mask: number, base: number, offset: number): number {
  const start = base >>> 0;
  if (start > 31) return -1;
  const n = offset | 0;
  if (n === 0) return ((mask >>> start) & 1) !== 0 ? start : -1;
  const step = n > 0 ? 1 : -1;
  let left = Math.abs(n);
  for (let pos = start; pos >= 0 && pos < 32; pos += step) {
    if (((mask >>> pos) & 1) !== 0 && --left === 0) return pos;
  }
  return -1;
}

/** `bmsk.mode.b32 d, a, b`: b ones starting at bit a. */
export function bmsk(a: number, b: number, mode: ShiftMode): number {
  if (mode === 'clamp') return shl32(lowMask(Math.min(b >>> 0, 32)), a);
  return lowMask(b & 31) << (a & 31);
}

/** `szext.mode.{s32,u32} d, a, b`: the low b bits of a, sign- or zero-extended. 0 bits give 0; clamp: 32 and more give a. */
export function szext(a: number, b: number, signed: boolean, mode: ShiftMode): number {
  if (mode === 'clamp' && b >>> 0 >= 32) return a | 0;
  const n = b & 31;
  if (n === 0) return 0;
  return signed ? (a << (32 - n)) >> (32 - n) : a & lowMask(n);
}

/** `cnot`: 1 when a is 0, else 0. */
export function cnot(a: number): number {
  return a === 0 ? 1 : 0;
}
