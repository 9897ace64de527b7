/**
 * The approximate instructions of PTX (ISA 9.7.3, 9.7.4): ex2, lg2, rcp, rsqrt, sqrt, div, sin, cos, tanh.
 *
 * PTX gives bounds, not bits. Each function computes in f64 and rounds once to the result type, so it lies well within the bound and
 * close to the middle of what hardware may return; special cases are the ISA's. V8's f64 functions are ports of fdlibm:
 * the same bits on every machine. {@link approxBounds} states the bounds; {@link withinBound} and {@link perturb} let a
 * judge ask how far a result may move. WASM: rcp, rsqrt, sqrt, div inline as f64 operations and one demote (f32.sqrt for sqrt);
 * the others are imports.
 */
import { f64FromWords, f64HighWord, isNegative } from './bits.ts';
import { bf16ToNumber, exponentOf, f16ToNumber, numberToBf16, numberToF16, powerOfTwo } from './half.ts';
import { F64_MAX, flush32, roundToF32 } from './rounding.ts';

const fround = Math.fround;

/**
 * 2^a in f64 to about 2 units of 2^-53: the integral part goes into the exponent exactly, the rest (at most 1/2) through exp.
 * Four times as quick as `2 ** a`. Exact for integral a; infinite from 1024 on, 0 below -1022, which no type here reaches.
 */
function exp2(a: number): number {
  const n = Math.floor(a + 0.5);
  if (Number.isNaN(n)) return n;
  if (n >= 1024) return Number.POSITIVE_INFINITY;
  return n < -1022 ? 0 : Math.exp((a - n) * Math.LN2) * powerOfTwo(n);
}

/** `ex2.approx{.ftz}.f32`: 2^a. -Inf gives +0, zeros and flushed subnormals give 1. */
export function ex2Approx(a: number, ftz = false): number {
  // Without .ftz a subnormal operand gives 1 as well, by rounding.
  const r = fround(exp2(a));
  return ftz ? flush32(r) : r;
}

/** `lg2.approx{.ftz}.f32`: zeros give -Inf, negatives NaN. */
export function lg2Approx(a: number, ftz = false): number {
  const x = ftz ? flush32(a) : a;
  if (x === 0) return Number.NEGATIVE_INFINITY;
  const r = fround(Math.log2(x));
  return ftz ? flush32(r) : r;
}

/** `rcp.approx{.ftz}.f32`. */
export function rcpApprox(a: number, ftz = false): number {
  return ftz ? flush32(fround(1 / flush32(a))) : fround(1 / a);
}

/** `rsqrt.approx{.ftz}.f32`: -0 gives -Inf, +Inf gives +0, negatives NaN. */
export function rsqrtApprox(a: number, ftz = false): number {
  return fround(1 / Math.sqrt(ftz ? flush32(a) : a));
}

/** `sqrt.approx{.ftz}.f32`: -0 gives -0, negatives NaN. */
export function sqrtApprox(a: number, ftz = false): number {
  return fround(Math.sqrt(ftz ? flush32(a) : a));
}

const TWO_126 = 2 ** 126;

/**
 * `div.approx{.ftz}.f32`: a * (1/b). For 2^126 < |b| < 2^128 the ISA delivers 0 (of the quotient's sign here), or NaN when a is
 * infinite. Elsewhere the nearest quotient.
 */
export function divApprox(a: number, b: number, ftz = false): number {
  const x = ftz ? flush32(a) : a;
  const y = ftz ? flush32(b) : b;
  const magnitude = Math.abs(y);
  if (magnitude > TWO_126 && magnitude < Number.POSITIVE_INFINITY) return x * (isNegative(y) ? -0 : 0);
  const r = fround(x / y);
  return ftz ? flush32(r) : r;
}

/** `div.full{.ftz}.f32`: full range, 2 ulp; the nearest quotient here. */
export function divFull(a: number, b: number, ftz = false): number {
  return ftz ? flush32(fround(flush32(a) / flush32(b))) : fround(a / b);
}

/** `sin.approx{.ftz}.f32`: infinities give NaN, -0 gives -0. */
export function sinApprox(a: number, ftz = false): number {
  const r = fround(Math.sin(ftz ? flush32(a) : a));
  return ftz ? flush32(r) : r;
}

/** `cos.approx{.ftz}.f32`: infinities give NaN, zeros give 1. */
export function cosApprox(a: number, ftz = false): number {
  return fround(Math.cos(ftz ? flush32(a) : a));
}

/** `tanh.approx.f32`: zeros and subnormals pass, infinities give 1 of their sign. */
export function tanhApprox(a: number): number {
  return fround(Math.tanh(a));
}

/** `ex2.approx.f16`, `tanh.approx.f16` on patterns. */
export function ex2F16(bits: number): number {
  return numberToF16(exp2(f16ToNumber(bits)));
}

export function tanhF16(bits: number): number {
  return numberToF16(Math.tanh(f16ToNumber(bits)));
}

/** `ex2.approx.ftz.bf16`: subnormal operands and results become zero of their sign. */
export function ex2Bf16(bits: number): number {
  const r = numberToBf16(exp2(bf16ToNumber(bits)));
  return (r & 0x7f80) === 0 ? r & 0x8000 : r;
}

export function tanhBf16(bits: number): number {
  return numberToBf16(Math.tanh(bf16ToNumber(bits)));
}

/** The operand and result of the f64 gross approximations: the low word is ignored and cleared, subnormals are flushed. */
function highWordOnly(x: number): number {
  const high = f64HighWord(x);
  return (high & 0x7ff00000) === 0 ? f64FromWords(high & 0x80000000, 0) : f64FromWords(high, 0);
}

/**
 * `rcp.approx.ftz.f64` (ISA 9.7.3 rcp): reads the upper 32 bits of a (sign, exponent, 20 fraction bits), returns a value
 * whose lower 32 bits are zero. libdevice refines it with fma, so its bits may differ from hardware's.
 */
export function rcpApproxF64(a: number): number {
  if (Number.isNaN(a)) return Number.NaN;
  return highWordOnly(1 / highWordOnly(a));
}

/** `rsqrt.approx.ftz.f64`, as {@link rcpApproxF64}. */
export function rsqrtApproxF64Ftz(a: number): number {
  if (Number.isNaN(a)) return Number.NaN;
  const r = 1 / Math.sqrt(highWordOnly(a));
  return Number.isNaN(r) ? r : highWordOnly(r);
}

/** `rsqrt.approx.f64`: subnormals supported. */
export function rsqrtApproxF64(a: number): number {
  return 1 / Math.sqrt(a);
}

/**
 * One accuracy statement of the ISA. An error is within the bound when it satisfies any one of the given measures whose condition
 * holds; `where` restricts operands (undefined: the full range).
 */
export interface ApproxBound {
  /** Opcode with modifiers and type, `.ftz` left out. */
  instruction: string;
  /** Section of PTX ISA 8.7 by name. */
  section: string;
  /** Units in the last place of the result type. */
  ulp?: number;
  relative?: number;
  absolute?: number;
  /** The operand range in words. */
  range: string;
  /** Whether operands (a, b) lie in the range. */
  where?: (a: number, b: number) => boolean;
}

const TWO_PI = 2 * Math.PI;
const inside = (limit: number) => (a: number) => Math.abs(a) <= limit;

/** The ISA's guarantees. Several entries with one `instruction` cover different ranges; outside all of them nothing is promised. */
export const approxBounds: readonly ApproxBound[] = [
  { instruction: 'rcp.approx.f32', section: '9.7.3 rcp', ulp: 1, range: 'all' },
  { instruction: 'sqrt.approx.f32', section: '9.7.3 sqrt', relative: 2 ** -23, range: 'positive finite' },
  { instruction: 'rsqrt.approx.f32', section: '9.7.3 rsqrt', relative: 2 ** -22.9, range: 'positive finite' },
  {
    instruction: 'sin.approx.f32',
    section: '9.7.3 sin',
    absolute: 2 ** -20.5,
    range: '[-2pi, 2pi]',
    where: inside(TWO_PI),
  },
  {
    instruction: 'sin.approx.f32',
    section: '9.7.3 sin',
    absolute: 2 ** -14.7,
    range: '[-100pi, 100pi]',
    where: inside(50 * TWO_PI),
  },
  {
    instruction: 'cos.approx.f32',
    section: '9.7.3 cos',
    absolute: 2 ** -20.5,
    range: '[-2pi, 2pi]',
    where: inside(TWO_PI),
  },
  {
    instruction: 'cos.approx.f32',
    section: '9.7.3 cos',
    absolute: 2 ** -14.7,
    range: '[-100pi, 100pi]',
    where: inside(50 * TWO_PI),
  },
  {
    instruction: 'lg2.approx.f32',
    section: '9.7.3 lg2',
    absolute: 2 ** -22,
    range: '(0.5, 2)',
    where: (a) => a > 0.5 && a < 2,
  },
  {
    instruction: 'lg2.approx.f32',
    section: '9.7.3 lg2',
    relative: 2 ** -22,
    range: 'positive finite outside (0.5, 2)',
    where: (a) => a <= 0.5 || a >= 2,
  },
  { instruction: 'ex2.approx.f32', section: '9.7.3 ex2', ulp: 2, range: 'all' },
  { instruction: 'tanh.approx.f32', section: '9.7.3 tanh', relative: 2 ** -11, range: 'all' },
  {
    instruction: 'div.approx.f32',
    section: '9.7.3 div',
    ulp: 2,
    range: '|b| in [2^-126, 2^126]',
    where: (_a, b) => Math.abs(b) >= 2 ** -126 && Math.abs(b) <= TWO_126,
  },
  { instruction: 'div.full.f32', section: '9.7.3 div', ulp: 2, range: 'all' },
  { instruction: 'ex2.approx.f16', section: '9.7.4 ex2', relative: 2 ** -9.9, range: 'all' },
  { instruction: 'ex2.approx.bf16', section: '9.7.4 ex2', relative: 2 ** -7, range: 'all' },
  { instruction: 'tanh.approx.f16', section: '9.7.4 tanh', absolute: 2 ** -10.987, range: 'all' },
  { instruction: 'tanh.approx.bf16', section: '9.7.4 tanh', absolute: 2 ** -8, range: 'all' },
];

/** The tightest entry that covers these operands, or undefined where the ISA promises nothing. */
export function boundFor(instruction: string, a: number, b = 0): ApproxBound | undefined {
  return approxBounds.find((entry) => entry.instruction === instruction && (entry.where?.(a, b) ?? true));
}

/** One unit in the last place of an f32 near `exact` (2^-149 in the subnormal range). */
export function ulp32(exact: number): number {
  const magnitude = Math.abs(exact);
  if (magnitude === 0) return 2 ** -149;
  return powerOfTwo(Math.max(exponentOf(Math.min(magnitude, F64_MAX)), -126) - 23);
}

/**
 * The greatest distance from the exact result that a bound allows, for f32 results.
 * @param exact the result in f64
 */
export function allowance(bound: ApproxBound, exact: number): number {
  if (bound.ulp !== undefined) return bound.ulp * ulp32(exact);
  if (bound.relative !== undefined) return bound.relative * Math.abs(exact);
  return bound.absolute ?? 0;
}

/** Whether `result` may be what hardware returns for an instruction whose exact result is `exact`. */
export function withinBound(bound: ApproxBound, exact: number, result: number): boolean {
  if (!Number.isFinite(exact) || !Number.isFinite(result)) return Object.is(fround(exact), result);
  return Math.abs(result - exact) <= allowance(bound, exact);
}

/**
 * Another f32 that an instruction may return, chosen by `seed`: the exact result moved by a pseudo-random share of the allowance and
 * rounded towards it, so it never leaves the bound. Zeros, infinities and NaN stay. For tolerance studies.
 */
export function perturb(bound: ApproxBound, exact: number, seed: number): number {
  if (!Number.isFinite(exact) || exact === 0) return fround(exact);
  // A multiplicative hash of the seed and the value's bits: equal operands move equally, as they do in hardware.
  let h = Math.imul(seed ^ f64HighWord(exact), 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h ^= h >>> 13;
  const share = h / 2147483648;
  const moved = exact + share * allowance(bound, exact);
  const r = roundToF32(moved, moved > exact ? 'rm' : 'rp');
  return withinBound(bound, exact, r) ? r : fround(exact);
}
