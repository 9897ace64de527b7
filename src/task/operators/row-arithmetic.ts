/**
 * An arithmetic over whole rows: what arithmetic.ts does to one number, done to the first `count` numbers of arrays, to the bit. Each loop is
 * written out for its operation, because a loop that calls a function it was given makes a boxed number for every argument and result,
 * which costs several times the arithmetic itself.
 */
import { erf, erfc } from './special.ts';

export type Row = Float64Array;

/** `out` may be `x` or `y` in everything but functions. `y` may be one number for all. */
type Pairwise = (x: Row, y: Row | number, out: Row, count: number) => void;

export interface RowArithmetic {
  readonly add: Pairwise;
  readonly subtract: Pairwise;
  readonly multiply: Pairwise;
  readonly divide: Pairwise;
  /** numerator / x. */
  readonly divideInto: (numerator: number, x: Row, out: Row, count: number) => void;
  /** An elementary function; `out` must be another array than `x`. */
  readonly apply: (name: RowFunction, x: Row, out: Row, count: number) => void;
}

const perturbWords = new Float64Array(1);
const perturbBits = new Int32Array(perturbWords.buffer);

/** A number in [-1, 1) fixed by the argument and the seed: an approximate instruction errs always alike on the same argument. */
export function perturbation(x: number, salt: number): number {
  perturbWords[0] = x;
  let h = Math.imul(perturbBits[0]! ^ salt, 0x9e3779b1) ^ Math.imul(perturbBits[1]! + salt, 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  h ^= h >>> 12;
  h = Math.imul(h, 0x297a2d39);
  h ^= h >>> 15;
  return h / 2147483648;
}

/**
 * The greatest relative error of one approximate function, where the roughest (`__expf` and its like) err by `scale`. Quotients and roots are never that rough: the
 * hardware's err by 2 units of 2^-23 (CUDA C++ Programming Guide, Mathematical Functions: `__fdividef`, `sqrtf` and `rsqrtf` under -use_fast_math).
 */
export const errorOf = (name: string, scale: number): number =>
  name === 'divide' || name === 'sqrt' || name === 'rsqrt' ? Math.min(scale, 4 * 2 ** -23) : scale;

/** The argument by which a quotient's error is fixed. */
export const quotientKey = (x: number, y: number): number => x + y * 1.618;

type FunctionRow = (x: Row, out: Row, count: number) => void;

/** The elementary functions with loops of their own. */
const functionRows = {
  exp: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.exp(x[i]!);
  },
  exp2: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = 2 ** x[i]!;
  },
  expm1: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.expm1(x[i]!);
  },
  log: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.log(x[i]!);
  },
  log2: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.log2(x[i]!);
  },
  log1p: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.log1p(x[i]!);
  },
  sqrt: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.sqrt(x[i]!);
  },
  rsqrt: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = 1 / Math.sqrt(x[i]!);
  },
  sin: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.sin(x[i]!);
  },
  cos: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.cos(x[i]!);
  },
  tanh: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.tanh(x[i]!);
  },
  erf: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = erf(x[i]!);
  },
  erfc: (x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = erfc(x[i]!);
  },
} as const satisfies Record<string, FunctionRow>;

export type RowFunction = keyof typeof functionRows;

/** The names of the functions that rows have. */
export const rowFunctions = Object.keys(functionRows) as readonly RowFunction[];

/** The arithmetic of float64, where nothing is rounded. */
const double: RowArithmetic = {
  add: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = x[i]! + y;
    else for (let i = 0; i < count; i++) out[i] = x[i]! + y[i]!;
  },
  subtract: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = x[i]! - y;
    else for (let i = 0; i < count; i++) out[i] = x[i]! - y[i]!;
  },
  multiply: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = x[i]! * y;
    else for (let i = 0; i < count; i++) out[i] = x[i]! * y[i]!;
  },
  divide: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = x[i]! / y;
    else for (let i = 0; i < count; i++) out[i] = x[i]! / y[i]!;
  },
  divideInto: (numerator, x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = numerator / x[i]!;
  },
  apply: (name, x, out, count) => functionRows[name](x, out, count),
};

/** float32, every result rounded once. */
const single: RowArithmetic = {
  add: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! + y);
    else for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! + y[i]!);
  },
  subtract: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! - y);
    else for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! - y[i]!);
  },
  multiply: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! * y);
    else for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! * y[i]!);
  },
  divide: (x, y, out, count) => {
    if (typeof y === 'number') for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! / y);
    else for (let i = 0; i < count; i++) out[i] = Math.fround(x[i]! / y[i]!);
  },
  divideInto: (numerator, x, out, count) => {
    for (let i = 0; i < count; i++) out[i] = Math.fround(numerator / x[i]!);
  },
  apply: (name, x, out, count) => {
    functionRows[name](x, out, count);
    for (let i = 0; i < count; i++) out[i] = Math.fround(out[i]!);
  },
};

/**
 * Rows in an arithmetic. `scale` is the largest relative error of approximate functions, 0 where each is rounded once; `salts` fix the errors
 * of each function.
 */
export function rowArithmetic(
  isSingle: boolean,
  scale: number,
  salts: Readonly<Record<RowFunction | 'divide', number>>,
): RowArithmetic {
  if (!isSingle) return double;
  if (scale === 0) return single;
  const forQuotient = salts.divide;
  const ofQuotient = errorOf('divide', scale);
  return {
    ...single,
    divide: (x, y, out, count) => {
      for (let i = 0; i < count; i++) {
        const n = x[i]!;
        const d = typeof y === 'number' ? y : y[i]!;
        out[i] = Math.fround((n / d) * (1 + ofQuotient * perturbation(quotientKey(n, d), forQuotient)));
      }
    },
    divideInto: (numerator, x, out, count) => {
      for (let i = 0; i < count; i++) {
        const d = x[i]!;
        out[i] = Math.fround((numerator / d) * (1 + ofQuotient * perturbation(quotientKey(numerator, d), forQuotient)));
      }
    },
    apply: (name, x, out, count) => {
      functionRows[name](x, out, count);
      const salt = salts[name];
      const error = errorOf(name, scale);
      for (let i = 0; i < count; i++) out[i] = Math.fround(out[i]! * (1 + error * perturbation(x[i]!, salt)));
    },
  };
}
