/**
 * Floating-point minimum and maximum of PTX (ISA 9.7.3, 9.7.4): -0 is below +0; a NaN operand is ignored unless `.NaN`
 * is given; `.xorsign.abs` compares magnitudes and gives the result the product of the signs.
 */
import { F16_NAN_BITS, isNegative } from './bits.ts';
import { bf16ToNumber, f16ToNumber } from './half.ts';
import { flushHalf, type HalfType } from './halfarithmetic.ts';
import { flush32 } from './rounding.ts';

/** Modifiers of `min`/`max`. */
export interface MinMaxModifiers {
  /** f32, f16: subnormal operands become zero of their sign. */
  ftz?: boolean;
  /** `.NaN`: a NaN operand makes the result NaN. */
  nan?: boolean;
  /** `.xorsign.abs`: magnitudes compared, sign is the XOR of the operands' signs. */
  xorsignAbs?: boolean;
}

/**
 * The lesser of two values, with -0 below +0; the other operand when one is NaN.
 * WASM: `select(b, select(a, f32.min(a, b), b != b), a != a)`; `f32.min` orders zeros as PTX does.
 */
export function minNumber(a: number, b: number): number {
  if (Number.isNaN(a)) return b;
  return Number.isNaN(b) ? a : Math.min(a, b);
}

/** The greater of two values; the other operand when one is NaN. */
export function maxNumber(a: number, b: number): number {
  if (Number.isNaN(a)) return b;
  return Number.isNaN(b) ? a : Math.max(a, b);
}

/** The function of `min`/`max` on f32 or f64 values with its modifiers resolved (`ftz` applies to f32 only). */
export function minMaxFunction(
  operation: 'min' | 'max',
  modifiers: MinMaxModifiers = {},
): (a: number, b: number) => number {
  const { ftz = false, nan = false, xorsignAbs = false } = modifiers;
  // JavaScript's min and max propagate NaN and order the zeros, which is PTX's .NaN form.
  const pick = operation === 'min' ? (nan ? Math.min : minNumber) : nan ? Math.max : maxNumber;
  if (!ftz && !xorsignAbs) return pick;
  return (x, y) => {
    const a = ftz ? flush32(x) : x;
    const b = ftz ? flush32(y) : y;
    if (!xorsignAbs) return pick(a, b);
    const magnitude = pick(Math.abs(a), Math.abs(b));
    return isNegative(a) !== isNegative(b) ? -magnitude : magnitude;
  };
}

/** The function (bits, bits) -> bits of `min`/`max` on f16 or bf16 with its modifiers resolved. NaN results are 0x7fff. */
export function minMaxHalf(
  operation: 'min' | 'max',
  type: HalfType,
  modifiers: MinMaxModifiers = {},
): (a: number, b: number) => number {
  const { ftz = false, nan = false, xorsignAbs = false } = modifiers;
  const decode = type === 'f16' ? f16ToNumber : bf16ToNumber;
  return (x, y) => {
    let a = flushHalf(x, type, ftz);
    let b = flushHalf(y, type, ftz);
    const sign = xorsignAbs ? (a ^ b) & 0x8000 : 0;
    if (xorsignAbs) {
      a &= 0x7fff;
      b &= 0x7fff;
    }
    const va = decode(a);
    const vb = decode(b);
    const aNaN = Number.isNaN(va);
    const bNaN = Number.isNaN(vb);
    if ((aNaN && bNaN) || (nan && (aNaN || bNaN))) return F16_NAN_BITS;
    if (aNaN) return b | sign;
    if (bNaN) return a | sign;
    if (va === vb) {
      // Equal values differ at most in the sign of zero: min takes the negative one, max the positive.
      return (operation === 'min' ? a | b : a & b) | sign;
    }
    return (va < vb === (operation === 'min') ? a : b) | sign;
  };
}
