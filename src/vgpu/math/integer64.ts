/**
 * Integer arithmetic and bit manipulation of PTX on 64 bits (ISA 9.7.1, 9.7.8), on bigints.
 *
 * Operands are any bigints, taken modulo 2^64; results are unsigned patterns (0 to 2^64 - 1), which a BigUint64Array holds. BigInt
 * costs some 50 to 200 ns an operation: address arithmetic should use the two-word functions of words64.ts, or i64 in
 * WebAssembly, where every function here has an obvious inline form.
 */

const MASK = 0xffffffffffffffffn;
const unsigned = (a: bigint): bigint => BigInt.asUintN(64, a);
const signedValue = (a: bigint): bigint => BigInt.asIntN(64, a);

export function add64i(a: bigint, b: bigint): bigint {
  return unsigned(a + b);
}

export function sub64i(a: bigint, b: bigint): bigint {
  return unsigned(a - b);
}

/** `mul.lo.{u64,s64}`. */
export function mulLo64(a: bigint, b: bigint): bigint {
  return unsigned(a * b);
}

/** `mul.hi.u64`. WASM: import, or four 32-bit partial products. */
export function mulHiU64(a: bigint, b: bigint): bigint {
  return (unsigned(a) * unsigned(b)) >> 64n;
}

/** `mul.hi.s64`. */
export function mulHiS64(a: bigint, b: bigint): bigint {
  return unsigned((signedValue(a) * signedValue(b)) >> 64n);
}

export function madLo64(a: bigint, b: bigint, c: bigint): bigint {
  return unsigned(a * b + c);
}

/** `sad.u64`, `sad.s64`. */
export function sadU64(a: bigint, b: bigint, c: bigint): bigint {
  const d = unsigned(a) - unsigned(b);
  return unsigned(c + (d < 0n ? -d : d));
}

export function sadS64(a: bigint, b: bigint, c: bigint): bigint {
  const d = signedValue(a) - signedValue(b);
  return unsigned(c + (d < 0n ? -d : d));
}

/** `div.u64`. PTX leaves x / 0 unspecified ("machine-specific"); all ones here, as for 32 bits. */
export function divU64(a: bigint, b: bigint): bigint {
  return unsigned(b) === 0n ? MASK : unsigned(a) / unsigned(b);
}

/** `div.s64`, truncating. x / 0 gives all ones; INT64_MIN / -1 wraps to INT64_MIN. */
export function divS64(a: bigint, b: bigint): bigint {
  return unsigned(b) === 0n ? MASK : unsigned(signedValue(a) / signedValue(b));
}

/** `rem.u64`; x rem 0 gives all ones, as for 32 bits. */
export function remU64(a: bigint, b: bigint): bigint {
  return unsigned(b) === 0n ? MASK : unsigned(a) % unsigned(b);
}

export function remS64(a: bigint, b: bigint): bigint {
  return unsigned(b) === 0n ? MASK : unsigned(signedValue(a) % signedValue(b));
}

export function minU64(a: bigint, b: bigint): bigint {
  const x = unsigned(a);
  const y = unsigned(b);
  return x < y ? x : y;
}

export function maxU64(a: bigint, b: bigint): bigint {
  const x = unsigned(a);
  const y = unsigned(b);
  return x > y ? x : y;
}

export function minS64(a: bigint, b: bigint): bigint {
  return unsigned(signedValue(a) < signedValue(b) ? a : b);
}

export function maxS64(a: bigint, b: bigint): bigint {
  return unsigned(signedValue(a) > signedValue(b) ? a : b);
}

export function absS64(a: bigint): bigint {
  const x = signedValue(a);
  return unsigned(x < 0n ? -x : x);
}

export function negS64(a: bigint): bigint {
  return unsigned(-a);
}

export function not64(a: bigint): bigint {
  return unsigned(~a);
}

/** `shl.b64`: the amount is a u32 number; above 63 gives 0. */
export function shl64(a: bigint, b: number): bigint {
  return b >>> 0 > 63 ? 0n : unsigned(a << BigInt(b >>> 0));
}

export function shrU64(a: bigint, b: number): bigint {
  return b >>> 0 > 63 ? 0n : unsigned(a) >> BigInt(b >>> 0);
}

/** `shr.s64`: amounts above 63 fill with the sign. */
export function shrS64(a: bigint, b: number): bigint {
  return unsigned(signedValue(a) >> BigInt(Math.min(b >>> 0, 63)));
}

/** `bfe.u64`: positions and lengths modulo 256. */
export function bfeU64(a: bigint, b: number, c: number): bigint {
  return shrU64(a, b & 0xff) & ((1n << BigInt(Math.min(c & 0xff, 64))) - 1n);
}

/** `bfe.s64`: padded with bit min(pos + len - 1, 63). Length 0 gives 0. */
export function bfeS64(a: bigint, b: number, c: number): bigint {
  const length = Math.min(c & 0xff, 64);
  if (length === 0) return 0n;
  return unsigned(BigInt.asIntN(length, signedValue(a) >> BigInt(b & 0xff)));
}

/** `bfi.b64 f, a, b, c, d`: the low d bits of a into b at bit c. */
export function bfi64(a: bigint, b: bigint, c: number, d: number): bigint {
  const position = BigInt(c & 0xff);
  const mask = unsigned(((1n << BigInt(Math.min(d & 0xff, 64))) - 1n) << position);
  return (unsigned(b) & (MASK ^ mask)) | (unsigned(a << position) & mask);
}

const highWord = (a: bigint): number => Number((unsigned(a) >> 32n) & 0xffffffffn);
const lowWord = (a: bigint): number => Number(a & 0xffffffffn);

/** `clz.b64`: 64 for 0; a u32 number. */
export function clz64(a: bigint): number {
  const high = highWord(a);
  return high !== 0 ? Math.clz32(high) : 32 + Math.clz32(lowWord(a));
}

/** `popc.b64`: a u32 number. */
export function popc64(a: bigint): number {
  let count = 0;
  for (let x = unsigned(a); x !== 0n; x &= x - 1n) count++;
  return count;
}

/** `brev.b64`. */
export function brev64(a: bigint): bigint {
  let result = 0n;
  for (let i = 0n, x = unsigned(a); i < 64n; i++, x >>= 1n) result = (result << 1n) | (x & 1n);
  return result;
}

/** `bfind{.shiftamt}.{u64,s64}`: -1 (0xffffffff as int32) when no non-sign bit exists. */
export function bfind64(a: bigint, signed: boolean, shiftamt = false): number {
  const x = signed && signedValue(a) < 0n ? ~a : a;
  const zeros = clz64(x);
  if (zeros === 64) return -1;
  return shiftamt ? zeros : 63 - zeros;
}

/** Sum and carry-out. */
export interface Carry64 {
  value: bigint;
  carry: number;
}

/** `add.cc.u64`, `addc{.cc}.u64`. */
export function addCarry64(a: bigint, b: bigint, carry: number): Carry64 {
  const s = unsigned(a) + unsigned(b) + BigInt(carry);
  return { value: unsigned(s), carry: s > MASK ? 1 : 0 };
}

/** `sub.cc.u64`, `subc{.cc}.u64`: a - (b + borrow). */
export function subBorrow64(a: bigint, b: bigint, borrow: number): Carry64 {
  const s = unsigned(a) - unsigned(b) - BigInt(borrow);
  return { value: unsigned(s), carry: s < 0n ? 1 : 0 };
}
