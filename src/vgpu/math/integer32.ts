/**
 * Integer arithmetic of PTX on 16 and 32 bits (ISA 9.7.1, 9.7.2).
 *
 * A 32-bit register is a number: any int32 or uint32 is accepted, results are int32 patterns (`| 0`), which V8 keeps in
 * machine registers. A 16-bit register is a number; results are 0 to 65535. Where signedness matters the name says S or U.
 */

/** `mul.lo.{s32,u32}`. WASM: `i32.mul`. */
export function mulLo32(a: number, b: number): number {
  return Math.imul(a, b);
}

/** `mul.hi.u32`. WASM: `i64.mul` of zero-extended operands, `shr_u 32`. */
export function mulHiU32(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  // Each partial sum stays below 2^32.
  const middle = ah * bl + (((al * bl) >>> 0) >>> 16);
  const middle2 = al * bh + (middle & 0xffff);
  return (ah * bh + (middle >>> 16) + (middle2 >>> 16)) | 0;
}

/** `mul.hi.s32`. WASM: `i64.mul` of sign-extended operands, `shr_s 32`. */
export function mulHiS32(a: number, b: number): number {
  // Signed high word = unsigned high word minus b for negative a, minus a for negative b.
  return (mulHiU32(a, b) - ((a | 0) < 0 ? b | 0 : 0) - ((b | 0) < 0 ? a | 0 : 0)) | 0;
}

/** `mul.wide.u32` / `mul.wide.s32` as a 64-bit pattern. WASM: extend both, `i64.mul`. */
export function mulWideU32(a: number, b: number): bigint {
  return BigInt(a >>> 0) * BigInt(b >>> 0);
}

export function mulWideS32(a: number, b: number): bigint {
  return BigInt.asUintN(64, BigInt(a | 0) * BigInt(b | 0));
}

/** `mul.wide.u16` / `.s16`: a 32-bit product. */
export function mulWideU16(a: number, b: number): number {
  return Math.imul(a & 0xffff, b & 0xffff);
}

export function mulWideS16(a: number, b: number): number {
  return Math.imul((a << 16) >> 16, (b << 16) >> 16);
}

/** `mul.hi.{u16,s16}`: upper half of the 32-bit product, as a 16-bit pattern. */
export function mulHiU16(a: number, b: number): number {
  return mulWideU16(a, b) >>> 16;
}

export function mulHiS16(a: number, b: number): number {
  return mulWideS16(a, b) >>> 16;
}

/** `mad.lo`: a * b + c modulo 2^32. */
export function madLo32(a: number, b: number, c: number): number {
  return (Math.imul(a, b) + c) | 0;
}

/** `mad.hi.u32`: upper word of a * b, plus c modulo 2^32. */
export function madHiU32(a: number, b: number, c: number): number {
  return (mulHiU32(a, b) + c) | 0;
}

/** `mad.hi.s32`; with `.sat` the sum is clamped to s32. */
export function madHiS32(a: number, b: number, c: number, sat = false): number {
  const high = mulHiS32(a, b);
  return sat ? addSatS32(high, c) : (high + c) | 0;
}

const signExtend24 = (a: number): number => (a << 8) >> 8;

/** `mul24.lo`: low 32 bits of the product of the operands' low 24 bits. */
export function mul24LoU32(a: number, b: number): number {
  return Math.imul(a & 0xffffff, b & 0xffffff);
}

export function mul24LoS32(a: number, b: number): number {
  return Math.imul(signExtend24(a), signExtend24(b));
}

/** `mul24.hi`: bits 47 to 16 of that 48-bit product. The product is exact in f64 (48 bits). */
export function mul24HiU32(a: number, b: number): number {
  return Math.floor(((a & 0xffffff) * (b & 0xffffff)) / 65536) | 0;
}

export function mul24HiS32(a: number, b: number): number {
  return Math.floor((signExtend24(a) * signExtend24(b)) / 65536) | 0;
}

/** `mad24.hi.sat.s32` saturates its sum; the other forms are a mul24 plus c modulo 2^32. */
export function mad24HiSatS32(a: number, b: number, c: number): number {
  return addSatS32(mul24HiS32(a, b), c);
}

/** `add.sat.s32`: clamped to s32. */
export function addSatS32(a: number, b: number): number {
  const s = (a | 0) + (b | 0);
  return s > 2147483647 ? 2147483647 : s < -2147483648 ? -2147483648 : s;
}

/** `sub.sat.s32`. */
export function subSatS32(a: number, b: number): number {
  const s = (a | 0) - (b | 0);
  return s > 2147483647 ? 2147483647 : s < -2147483648 ? -2147483648 : s;
}

/** `sad.u32`: c + |a - b| modulo 2^32. WASM: `select(a-b, b-a, a > b) + c`. */
export function sadU32(a: number, b: number, c: number): number {
  return (Math.abs((a >>> 0) - (b >>> 0)) + c) | 0;
}

export function sadS32(a: number, b: number, c: number): number {
  return (Math.abs((a | 0) - (b | 0)) + c) | 0;
}

export function sadU16(a: number, b: number, c: number): number {
  return (Math.abs((a & 0xffff) - (b & 0xffff)) + c) & 0xffff;
}

export function sadS16(a: number, b: number, c: number): number {
  return (Math.abs(((a << 16) >> 16) - ((b << 16) >> 16)) + c) & 0xffff;
}

/**
 * `div.u32`. PTX ISA 9.7.1 div: "Division by zero yields an unspecified, machine-specific value." All ones here, for div and rem of
 * every width: that is what ptxas 13.0 for sm_90 folds constants to (7 div 0, 7 rem 0) and what its run-time
 * sequences select when the divisor is zero. A launch should report the division, not rely on it.
 * WASM: `i32.div_u` traps on zero: guard with a select of the divisor.
 */
export function divU32(a: number, b: number): number {
  return b >>> 0 === 0 ? -1 : ((a >>> 0) / (b >>> 0)) | 0;
}

/**
 * `div.s32`, truncating. x / 0 gives -1 (see {@link divU32}); INT_MIN / -1 wraps to INT_MIN.
 * WASM: `i32.div_s` traps on both: guard.
 */
export function divS32(a: number, b: number): number {
  return (b | 0) === 0 ? -1 : ((a | 0) / (b | 0)) | 0;
}

/** `rem.u32`. x rem 0 gives all ones (see {@link divU32}). WASM: `i32.rem_u` traps on zero: guard. */
export function remU32(a: number, b: number): number {
  return b >>> 0 === 0 ? -1 : ((a >>> 0) % (b >>> 0)) | 0;
}

/** `rem.s32`: the sign of the dividend. x rem 0 gives -1; INT_MIN rem -1 gives 0. WASM: guard zero. */
export function remS32(a: number, b: number): number {
  return (b | 0) === 0 ? -1 : ((a | 0) % (b | 0)) | 0;
}

export function divU16(a: number, b: number): number {
  return (b & 0xffff) === 0 ? 0xffff : ((a & 0xffff) / (b & 0xffff)) | 0;
}

export function divS16(a: number, b: number): number {
  const d = (b << 16) >> 16;
  return d === 0 ? 0xffff : (((a << 16) >> 16) / d) & 0xffff;
}

export function remU16(a: number, b: number): number {
  return (b & 0xffff) === 0 ? 0xffff : (a & 0xffff) % (b & 0xffff);
}

export function remS16(a: number, b: number): number {
  const d = (b << 16) >> 16;
  return d === 0 ? 0xffff : (((a << 16) >> 16) % d) & 0xffff;
}

/** `min`/`max` by signedness; int32 patterns. */
export function minU32(a: number, b: number): number {
  return (a >>> 0 < b >>> 0 ? a : b) | 0;
}

export function maxU32(a: number, b: number): number {
  return (a >>> 0 > b >>> 0 ? a : b) | 0;
}

/** With `.relu` (s32, s16x2) the result is at least 0. */
export function minS32(a: number, b: number, relu = false): number {
  const r = Math.min(a | 0, b | 0);
  return relu && r < 0 ? 0 : r;
}

export function maxS32(a: number, b: number, relu = false): number {
  const r = Math.max(a | 0, b | 0);
  return relu && r < 0 ? 0 : r;
}

export function minU16(a: number, b: number): number {
  return Math.min(a & 0xffff, b & 0xffff);
}

export function maxU16(a: number, b: number): number {
  return Math.max(a & 0xffff, b & 0xffff);
}

export function minS16(a: number, b: number, relu = false): number {
  const r = Math.min((a << 16) >> 16, (b << 16) >> 16);
  return relu && r < 0 ? 0 : r & 0xffff;
}

export function maxS16(a: number, b: number, relu = false): number {
  const r = Math.max((a << 16) >> 16, (b << 16) >> 16);
  return relu && r < 0 ? 0 : r & 0xffff;
}

/** `abs.s32`, `neg.s32`: INT_MIN stays INT_MIN. */
export function absS32(a: number): number {
  return (a | 0) < 0 ? -a | 0 : a | 0;
}

export function negS32(a: number): number {
  return -a | 0;
}

export function absS16(a: number): number {
  return Math.abs((a << 16) >> 16) & 0xffff;
}

export function negS16(a: number): number {
  return -a & 0xffff;
}

/** Sum and carry-out of an extended-precision instruction. */
export interface Carry32 {
  value: number;
  /** CC.CF after the instruction, 0 or 1. */
  carry: number;
}

/** `add.cc` (carry 0) and `addc{.cc}`: a + b + CF. WASM: i64 add of zero-extended words; carry is bit 32. */
export function addCarry32(a: number, b: number, carry: number): Carry32 {
  const s = (a >>> 0) + (b >>> 0) + carry;
  return { value: s | 0, carry: s > 4294967295 ? 1 : 0 };
}

/** `sub.cc` and `subc{.cc}`: a - (b + CF), CF a borrow. */
export function subBorrow32(a: number, b: number, borrow: number): Carry32 {
  const s = (a >>> 0) - (b >>> 0) - borrow;
  return { value: s | 0, carry: s < 0 ? 1 : 0 };
}

/** `mad{c}.{lo,hi}{.cc}`: half of a product plus c plus CF. `half` is the product's word, from mulLo32 or mulHi*. */
export function madCarry32(half: number, c: number, carry: number): Carry32 {
  return addCarry32(half, c, carry);
}

function byteOf(word: number, index: number, signed: boolean): number {
  const shift = index * 8;
  return signed ? (word << (24 - shift)) >> 24 : (word >>> shift) & 0xff;
}

/** `vabsdiff4.add`: c plus the absolute differences of the four bytes, modulo 2^32. */
export function absoluteDifference4(a: number, b: number, c: number, aSigned: boolean, bSigned: boolean): number {
  let sum = c;
  for (let shift = 0; shift < 32; shift += 8) {
    const x = aSigned ? (a << (24 - shift)) >> 24 : (a >>> shift) & 0xff;
    const y = bSigned ? (b << (24 - shift)) >> 24 : (b >>> shift) & 0xff;
    sum += Math.abs(x - y);
  }
  return sum | 0;
}

/** `dp4a.atype.btype`: c plus four byte products, modulo 2^32. */
export function dp4a(a: number, b: number, c: number, aSigned: boolean, bSigned: boolean): number {
  let sum = c | 0;
  for (let i = 0; i < 4; i++) sum = (sum + byteOf(a, i, aSigned) * byteOf(b, i, bSigned)) | 0;
  return sum;
}

/** `dp2a.{lo,hi}`: c plus two products of 16-bit parts of a and the lower or upper two bytes of b. */
export function dp2a(a: number, b: number, c: number, aSigned: boolean, bSigned: boolean, mode: 'lo' | 'hi'): number {
  const first = mode === 'lo' ? 0 : 2;
  const low = aSigned ? (a << 16) >> 16 : a & 0xffff;
  const high = aSigned ? a >> 16 : a >>> 16;
  return (c + low * byteOf(b, first, bSigned) + high * byteOf(b, first + 1, bSigned)) | 0;
}
