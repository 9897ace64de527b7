/**
 * The formats below f16: e4m3 and e5m2 (8 bits, two to a 16-bit register), and tf32 (19 bits in a 32-bit register).
 * PTX ISA 5.2.3 (alternate formats) and 9.7.9 (cvt).
 */
import { F32_NAN_BITS, f32FromBits, f32ToBits, isNegative } from './bits.ts';
import { exponentOf, f16ToNumber, numberToF16, pack16, powerOfTwo } from './half.ts';
import { roundNearestEven } from './rounding.ts';

/** An 8-bit floating-point type. e4m3 has no infinity and NaN only at S.1111.111; e5m2 is laid out like IEEE. */
export type Fp8Type = 'e4m3' | 'e5m2';

interface Fp8Format {
  precision: number;
  minExponent: number;
  max: number;
  maxBits: number;
}

const FP8: Record<Fp8Type, Fp8Format> = {
  e4m3: { precision: 4, minExponent: -6, max: 448, maxBits: 0x7e },
  e5m2: { precision: 3, minExponent: -14, max: 57344, maxBits: 0x7b },
};

/** PTX's canonical NaN of e4m3 and e5m2. */
export const FP8_NAN_BITS = 0x7f;

/**
 * `cvt.rn.satfinite` of one value to an 8-bit pattern: nearest even; anything beyond the greatest finite value, infinities too,
 * becomes that value with its sign; NaN gives 0x7f. `.relu` turns negatives into +0.
 */
export function numberToFp8(x: number, type: Fp8Type, relu = false): number {
  if (Number.isNaN(x)) return FP8_NAN_BITS;
  const format = FP8[type];
  const negative = isNegative(x);
  if (relu && negative) return 0;
  const sign = negative ? 0x80 : 0;
  const magnitude = Math.abs(x);
  if (magnitude === 0) return sign;
  if (magnitude >= format.max) return sign | format.maxBits;
  const exponent = Math.max(exponentOf(magnitude), format.minExponent);
  const steps = roundNearestEven(magnitude * powerOfTwo(format.precision - 1 - exponent));
  return sign | ((exponent - format.minExponent) * 2 ** (format.precision - 1) + steps);
}

/** An 8-bit pattern's value, exactly (every e4m3 and e5m2 value is an f16). */
export function fp8ToNumber(bits: number, type: Fp8Type): number {
  // e5m2 is the upper byte of an f16.
  if (type === 'e5m2') return f16ToNumber((bits & 0xff) << 8);
  const magnitude = bits & 0x7f;
  if (magnitude === 0x7f) return Number.NaN;
  const field = magnitude >> 3;
  const value = field === 0 ? (magnitude & 7) * 2 ** -9 : (8 + (magnitude & 7)) * 2 ** (field - 10);
  return (bits & 0x80) !== 0 ? -value : value;
}

/** `cvt.rn.satfinite.{e4m3x2,e5m2x2}.f32 d, a, b`: a in the upper byte. */
export function packFp8(a: number, b: number, type: Fp8Type, relu = false): number {
  return (numberToFp8(a, type, relu) << 8) | numberToFp8(b, type, relu);
}

/** `cvt.rn.f16x2.{e4m3x2,e5m2x2}`: a 16-bit pair to an f16x2 register (int32). */
export function fp8PairToF16x2(pair: number, type: Fp8Type, relu = false): number {
  const half = (bits: number): number => {
    const x = fp8ToNumber(bits, type);
    return relu && isNegative(x) ? 0 : numberToF16(x);
  };
  return pack16(half(pair & 0xff), half((pair >> 8) & 0xff));
}

/**
 * `cvt.rna.tf32.f32` (ties away) or `cvt.rn.tf32.f32` (ties to even) or `.rz`: an f32 kept to 10 fraction bits; the result's low 13
 * bits are zero. Overflow gives infinity, or the greatest tf32 with .satfinite; NaN gives 0x7fffffff.
 * WASM, rna: `(bits + 0x1000) & 0xffffe000` for finite x.
 */
export function f32ToTf32(
  x: number,
  rounding: 'rna' | 'rn' | 'rz' = 'rna',
  modifiers: { satfinite?: boolean; relu?: boolean } = {},
): number {
  if (Number.isNaN(x)) return f32FromBits(F32_NAN_BITS);
  if (modifiers.relu && isNegative(x)) return 0;
  const bits = f32ToBits(x);
  const increment = rounding === 'rna' ? 0x1000 : rounding === 'rz' ? 0 : 0xfff + ((bits >>> 13) & 1);
  let magnitude = bits & 0x7fffffff;
  magnitude = magnitude === 0x7f800000 ? magnitude : (magnitude + increment) & 0xffffe000;
  if (modifiers.satfinite && magnitude >= 0x7f800000) magnitude = 0x7f7fe000;
  return f32FromBits((bits & 0x80000000) | magnitude);
}

/**
 * What a tf32 operand of mma/wmma/wgmma reads from a 32-bit register: the low 13 bits are ignored (wgmma's text says so;
 * mma leaves unconverted operands undefined, and hardware truncates).
 */
export function readTf32(bits: number): number {
  return f32FromBits(bits & 0xffffe000);
}
