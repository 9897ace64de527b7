/**
 * The arithmetics a graph can be evaluated in.
 * `float64` is the reference: sums are compensated, nothing is rounded on the way. Every other one does what an honest kernel of that
 * precision does: each elementary result is rounded to float32, contractions read operands rounded to the policy's format, and sums
 * are taken in an order some real kernel would take. The spread between these and the reference is what the judge derives its tolerance from.
 */
import type { DType } from '../types.ts';
import {
  errorOf,
  perturbation,
  quotientKey,
  type RowArithmetic,
  type RowFunction,
  rowArithmetic,
  rowFunctions,
} from './row-arithmetic.ts';
import { erf, erfc } from './special.ts';
import { roundBfloat16, roundFloat16, roundTf32 } from './tensor.ts';

/**
 * Order of a sum: `sequential` one accumulator upwards; `reversed` downwards; `pairwise` a binary tree; `blocked` `lanes` strided
 * accumulators and then a tree over them, as a warp or a block reduces; `compensated` (Neumaier) nearly exact, for the reference.
 */
export type SummationOrder = 'sequential' | 'reversed' | 'pairwise' | 'blocked' | 'compensated';

/** Which arithmetic. Plain data, so that evidence can name it. */
export interface ArithmeticChoice {
  /** `tf32`, `float16` and `bfloat16` round the operands of contractions to that format and accumulate in float32. */
  format: 'float64' | 'float32' | 'tf32' | 'float16' | 'bfloat16';
  /** Default: `compensated` for float64, else `sequential`. */
  order?: SummationOrder;
  /** Lanes of the `blocked` order; default 32. */
  lanes?: number;
  /** Contractions use fused multiply-add; default true, as nvcc does. */
  fused?: boolean;
  /** Transcendental functions, division and square root err by up to `ulps` float32 units, deterministically by seed and argument, as approximate instructions do. */
  approximate?: { seed: number; ulps: number };
  /** Formulas with a careful form are computed as PyTorch's pages write them, in float32: exp(x) - 1 and log(1 + exp(x)), which lose a small result to the 1. */
  textbook?: boolean;
  /**
   * Softmax and its logarithm round their terms before the maximum goes off: 2^(x log2(e) - max log2(e)), as attention kernels have it (FlashAttention,
   * Triton), and x - (max + log(sum)). Off by about |x| 2^-24, as if each score were the next number to itself.
   */
  lateMaximum?: boolean;
  /** Values below the least normal float32 are taken for zero, as operands and as results of every operator: what -use_fast_math (-ftz=true) does. */
  flushes?: boolean;
  /** What a transposed convolution scatters is added to its bias, and not the bias to the sum: a large partial sum may leave nothing of a small result's digits. */
  biasFirst?: boolean;
  /** Convolutions by 3x3 filters go through Winograd's transforms, as libraries compute them in float32. */
  transformed?: boolean;
  /**
   * What a tensor between two operators is rounded to: `float32` as when fused into one kernel, `dtype` its own element type as when
   * written to memory between kernels, `format` the policy's format. Default `float32` (no rounding at all for float64).
   */
  intermediates?: 'float32' | 'dtype' | 'format';
}

type Function1 = (x: number) => number;

/** Elementary functions that GPUs approximate. */
export const transcendentals = {
  exp: Math.exp,
  exp2: (x: number) => 2 ** x,
  expm1: Math.expm1,
  log: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x: number) => 1 / Math.sqrt(x),
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  erfc,
} as const;

export type Transcendental = keyof typeof transcendentals;

/** An arithmetic ready to compute with. Every function returns a value already rounded as the arithmetic rounds. */
export interface Arithmetic extends Readonly<Record<Transcendental, Function1>> {
  readonly choice: ArithmeticChoice;
  /** True when results are rounded to float32. */
  readonly single: boolean;
  /** Rounds one elementary result. */
  readonly round: Function1;
  readonly divide: (x: number, y: number) => number;
  readonly pow: (x: number, y: number) => number;
  readonly atan2: (y: number, x: number) => number;
  /** Sum of the first `count` values of a scratch array, which it may overwrite. */
  readonly sum: (values: Float64Array, count: number) => number;
  /** Rounds an operand of a contraction; null when operands are used as they are. */
  readonly operand: Function1 | null;
  readonly order: SummationOrder;
  readonly lanes: number;
  readonly fused: boolean;
  /** See {@link ArithmeticChoice.biasFirst}. */
  readonly biasFirst: boolean;
  /** See {@link ArithmeticChoice.transformed}. */
  readonly transformed: boolean;
  /** The same over whole rows, for loops that are hot. */
  readonly rows: RowArithmetic;
}

const identity: Function1 = (x) => x;

/** pow as C and CUDA define it where JavaScript differs: 1^y is 1 for every y, and (-1)^±inf is 1. */
function power(x: number, y: number): number {
  if (x === 1 || (x === -1 && (y === Infinity || y === -Infinity))) return 1;
  return x ** y;
}

function sumCompensated(values: Float64Array, count: number): number {
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < count; i++) {
    const x = values[i]!;
    const next = sum + x;
    // What the addition lost, exactly (Knuth's two-sum): the same number as Neumaier's, without a branch.
    const taken = next - sum;
    lost += sum - (next - taken) + (x - taken);
    sum = next;
  }
  // Infinities and NaN leave NaN in the correction; the plain sum already says what IEEE says.
  return Number.isFinite(sum) ? sum + lost : sum;
}

/** A binary tree over neighbours, in place. */
function sumTree(values: Float64Array, count: number, single: boolean): number {
  if (count === 0) return 0;
  let n = count;
  while (n > 1) {
    const half = n >> 1;
    if (single) for (let i = 0; i < half; i++) values[i] = Math.fround(values[2 * i]! + values[2 * i + 1]!);
    else for (let i = 0; i < half; i++) values[i] = values[2 * i]! + values[2 * i + 1]!;
    if (n & 1) values[half] = values[n - 1]!;
    n = half + (n & 1);
  }
  return values[0]!;
}

function summation(
  order: SummationOrder,
  lanes: number,
  single: boolean,
): (values: Float64Array, count: number) => number {
  const round = single ? Math.fround : identity;
  switch (order) {
    case 'compensated':
      return sumCompensated;
    case 'sequential':
      return (values, count) => {
        let sum = 0;
        if (single) for (let i = 0; i < count; i++) sum = Math.fround(sum + values[i]!);
        else for (let i = 0; i < count; i++) sum += values[i]!;
        return sum;
      };
    case 'reversed':
      return (values, count) => {
        let sum = 0;
        if (single) for (let i = count - 1; i >= 0; i--) sum = Math.fround(sum + values[i]!);
        else for (let i = count - 1; i >= 0; i--) sum += values[i]!;
        return sum;
      };
    case 'pairwise':
      return (values, count) => sumTree(values, count, single);
    case 'blocked': {
      const partial = new Float64Array(lanes);
      return (values, count) => {
        partial.fill(0);
        for (let start = 0; start < count; start += lanes) {
          const end = Math.min(lanes, count - start);
          if (single) for (let i = 0; i < end; i++) partial[i] = Math.fround(partial[i]! + values[start + i]!);
          else for (let i = 0; i < end; i++) partial[i] = partial[i]! + values[start + i]!;
        }
        // The tree of a shuffle reduction pairs lane i with lane i + offset, the offset halving.
        for (let offset = lanes >> 1; offset > 0; offset >>= 1) {
          for (let i = 0; i < offset; i++) partial[i] = round(partial[i]! + partial[i + offset]!);
        }
        return partial[0]!;
      };
    }
  }
}

const built = new Map<string, Arithmetic>();

/**
 * The arithmetic for tensors of an element type. float64 tensors are computed in float64 under every choice (no policy lets a double
 * be anything less), integers exactly; the summation order still applies. Throws on a `lanes` that is not a power of two.
 */
export function arithmeticFor(choice: ArithmeticChoice, dtype: DType = 'float32'): Arithmetic {
  const double = choice.format === 'float64' || (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16');
  const key = JSON.stringify([
    choice.format,
    choice.order,
    choice.lanes,
    choice.fused,
    choice.approximate,
    choice.textbook,
    choice.lateMaximum,
    choice.biasFirst,
    choice.transformed,
    choice.flushes,
    choice.intermediates,
    double,
  ]);
  let arithmetic = built.get(key);
  if (!arithmetic) {
    if (built.size > 200) built.clear();
    arithmetic = build(choice, double);
    built.set(key, arithmetic);
  }
  return arithmetic;
}

function build(choice: ArithmeticChoice, double: boolean): Arithmetic {
  const lanes = choice.lanes ?? 32;
  if (!Number.isInteger(Math.log2(lanes)))
    throw new Error(`The lanes of a blocked sum must be a power of two, not ${lanes}.`);
  const order = choice.order ?? (double ? 'compensated' : 'sequential');
  const approximate = double ? undefined : choice.approximate;
  const round = double ? identity : Math.fround;
  let salt = (approximate?.seed ?? 0) | 0;
  const scale = (approximate?.ulps ?? 0) * 2 ** -23;
  const salts = new Map<string, number>();

  /** Rounds a function's result, and disturbs it where the arithmetic approximates. Zero, infinity and NaN stay. */
  const settle1 = (f: Function1, name: Transcendental): Function1 => {
    if (double) return f;
    if (!approximate) return (x) => Math.fround(f(x));
    salt = Math.imul(salt + 1, 0x61c88647);
    const own = salt;
    salts.set(name, own);
    const error = errorOf(name, scale);
    return (x) => Math.fround(f(x) * (1 + error * perturbation(x, own)));
  };
  const settle2 = (f: (x: number, y: number) => number, factor: number, name: string) => {
    if (double) return f;
    if (!approximate) return (x: number, y: number) => Math.fround(f(x, y));
    salt = Math.imul(salt + 1, 0x61c88647);
    const own = salt;
    salts.set(name, own);
    const error = factor * errorOf(name, scale);
    return (x: number, y: number) => Math.fround(f(x, y) * (1 + error * perturbation(quotientKey(x, y), own)));
  };

  const functions = Object.fromEntries(
    Object.entries(transcendentals).map(([name, f]) => [name, settle1(f, name as Transcendental)]),
  ) as Record<Transcendental, Function1>;
  const operand = double
    ? null
    : choice.format === 'tf32'
      ? roundTf32
      : choice.format === 'float16'
        ? roundFloat16
        : choice.format === 'bfloat16'
          ? roundBfloat16
          : null;
  const divide = settle2((x, y) => x / y, 1, 'divide');
  const names: readonly (RowFunction | 'divide')[] = [...rowFunctions, 'divide'];
  return {
    ...functions,
    choice,
    single: !double,
    round,
    divide,
    pow: settle2(power, 2, 'pow'),
    atan2: settle2(Math.atan2, 1, 'atan2'),
    sum: summation(order, lanes, !double),
    operand,
    order,
    lanes,
    fused: choice.fused ?? true,
    biasFirst: choice.biasFirst ?? false,
    transformed: !double && (choice.transformed ?? false),
    rows: rowArithmetic(
      !double,
      scale,
      Object.fromEntries(names.map((name) => [name, salts.get(name) ?? 0])) as Record<RowFunction | 'divide', number>,
    ),
  };
}

/** The arithmetic of the reference. */
export const float64: ArithmeticChoice = { format: 'float64' };
