/**
 * Pointwise operators of one operand. Each is a formula in elementary steps, so that one text serves the float64 reference (where a step
 * does not round) and every float32 arithmetic (where each step rounds, as a kernel's instruction does).
 * Formulas are PyTorch's documented ones.
 */
import type { DType } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectOperands, outputCount, perElement } from './operator.ts';
import { GELU_CUBIC, overRows, rowFormulas, SQRT_HALF, SQRT_TWO_OVER_PI } from './pointwise-rows.ts';
import { rounderOf } from './tensor.ts';

export type Formula = (x: number, a: Arithmetic) => number;

interface Unary {
  /** The formula, with its attributes bound. */
  formula: (attributes: Attributes) => Formula;
  /** Integers are legal operands. */
  integers?: boolean;
  /** The output is bool whatever goes in. */
  bool?: boolean;
  special?: number;
  arithmetic?: number;
  affine?: boolean;
}

/** Half to even, which JavaScript's round is not. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** min(max(x, low), high): max wins when low > high, NaN stays. */
export function clampValue(x: number, low: number, high: number): number {
  const raised = x < low ? low : x;
  return raised > high ? high : raised;
}

export function sigmoid(x: number, a: Arithmetic): number {
  return a.divide(1, a.round(1 + a.exp(-x)));
}

/** exp(x) - 1 inside a formula: kernels are written both ways. The operator expm1 itself has one meaning. */
function expMinusOne(x: number, a: Arithmetic): number {
  return a.single && a.choice.textbook ? a.round(a.exp(x) - 1) : a.expm1(x);
}

/** log(1 + x) inside a formula, likewise. */
function logOnePlus(x: number, a: Arithmetic): number {
  return a.single && a.choice.textbook ? a.log(a.round(1 + x)) : a.log1p(x);
}

function logsigmoid(x: number, a: Arithmetic): number {
  return a.round(Math.min(x, 0) - logOnePlus(a.exp(-Math.abs(x)), a));
}

export function softplus(x: number, a: Arithmetic): number {
  // max(x, 0) + log1p(exp(-|x|)) never overflows.
  return x > 0 ? a.round(x + logOnePlus(a.exp(-x), a)) : logOnePlus(a.exp(x), a);
}

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

function geluExact(x: number, a: Arithmetic): number {
  // x Phi(x); erfc keeps the tail, erf keeps the middle.
  if (!a.single && x < -1) return 0.5 * x * a.erfc(-x * SQRT_HALF);
  return a.round(a.round(0.5 * x) * a.round(1 + a.erf(a.round(x * a.round(SQRT_HALF)))));
}

function geluTanh(x: number, a: Arithmetic): number {
  const cube = a.round(a.round(x * x) * x);
  const inner = a.round(a.round(SQRT_TWO_OVER_PI) * a.round(x + a.round(a.round(GELU_CUBIC) * cube)));
  return a.round(a.round(0.5 * x) * a.round(1 + a.tanh(inner)));
}

function elu(x: number, alpha: number, a: Arithmetic): number {
  return x > 0 ? x : a.round(alpha * expMinusOne(x, a));
}

function hardsigmoid(x: number, a: Arithmetic): number {
  return a.divide(clampValue(a.round(x + 3), 0, 6), 6);
}

/** A formula without attributes. */
const plain =
  (formula: Formula): Unary['formula'] =>
  () =>
    formula;

const unary: Record<string, Unary> = {
  neg: { formula: plain((x) => -x), integers: true, affine: true },
  abs: { formula: plain((x) => Math.abs(x)), integers: true },
  sign: { formula: plain((x) => (x > 0 ? 1 : x < 0 ? -1 : 0)), integers: true },
  floor: { formula: plain((x) => Math.floor(x)), integers: true },
  ceil: { formula: plain((x) => Math.ceil(x)), integers: true },
  round: { formula: plain(roundHalfEven), integers: true },
  trunc: { formula: plain((x) => Math.trunc(x)), integers: true },
  frac: { formula: plain((x, a) => a.round(x - Math.trunc(x))) },
  reciprocal: { formula: plain((x, a) => a.divide(1, x)), special: 1 },
  sigmoid: { formula: plain(sigmoid), special: 2 },
  logsigmoid: { formula: plain(logsigmoid), special: 2 },
  relu: { formula: plain((x) => (x < 0 ? 0 : x)), integers: true },
  silu: { formula: plain((x, a) => a.divide(x, a.round(1 + a.exp(-x)))), special: 2 },
  mish: { formula: plain((x, a) => a.round(x * a.tanh(softplus(x, a)))), special: 3 },
  softsign: { formula: plain((x, a) => a.divide(x, a.round(1 + Math.abs(x)))), special: 1 },
  selu: { formula: plain((x, a) => a.round(a.round(SELU_SCALE) * elu(x, a.round(SELU_ALPHA), a))), special: 1 },
  hardsigmoid: { formula: plain(hardsigmoid) },
  hardswish: { formula: plain((x, a) => a.divide(a.round(x * clampValue(a.round(x + 3), 0, 6)), 6)) },
  leaky_relu: {
    formula: (attributes) => {
      const slope = attributes.number('negative_slope');
      return (x, a) => (x > 0 ? x : a.round(x * a.round(slope)));
    },
  },
  elu: {
    formula: (attributes) => {
      const alpha = attributes.number('alpha');
      return (x, a) => elu(x, a.round(alpha), a);
    },
    special: 1,
  },
  celu: {
    formula: (attributes) => {
      const alpha = attributes.number('alpha');
      return (x, a) => (x > 0 ? x : a.round(a.round(alpha) * expMinusOne(a.divide(x, a.round(alpha)), a)));
    },
    special: 1,
  },
  gelu: {
    formula: (attributes) => (attributes.choice('approximate', ['none', 'tanh']) === 'tanh' ? geluTanh : geluExact),
    special: 1,
  },
  softplus: {
    formula: (attributes) => {
      const beta = attributes.number('beta');
      const threshold = attributes.number('threshold');
      return (x, a) => {
        const scaled = a.round(x * a.round(beta));
        return scaled > threshold ? x : a.divide(logOnePlus(a.exp(scaled), a), a.round(beta));
      };
    },
    special: 2,
  },
  hardtanh: {
    formula: (attributes) => {
      const low = attributes.number('min_val');
      const high = attributes.number('max_val');
      return (x, a) => clampValue(x, a.round(low), a.round(high));
    },
    integers: true,
  },
  softshrink: {
    formula: (attributes) => {
      const lambd = attributes.number('lambd');
      return (x, a) => {
        const l = a.round(lambd);
        return x > l ? a.round(x - l) : x < -l ? a.round(x + l) : Number.isNaN(x) ? x : 0;
      };
    },
  },
  hardshrink: {
    formula: (attributes) => {
      const lambd = attributes.number('lambd');
      return (x, a) => (x >= -a.round(lambd) && x <= a.round(lambd) ? 0 : x);
    },
  },
  clamp: {
    formula: (attributes) => {
      const low = attributes.numberOrNull('min') ?? -Infinity;
      const high = attributes.numberOrNull('max') ?? Infinity;
      return (x, a) => clampValue(x, a.round(low), a.round(high));
    },
    integers: true,
  },
  logical_not: { formula: plain((x) => (x === 0 ? 1 : 0)), integers: true, bool: true },
  isnan: { formula: plain((x) => (Number.isNaN(x) ? 1 : 0)), integers: true, bool: true },
  isinf: { formula: plain((x) => (Math.abs(x) === Infinity ? 1 : 0)), integers: true, bool: true },
  isfinite: { formula: plain((x) => (Number.isFinite(x) ? 1 : 0)), integers: true, bool: true },
};

for (const name of [
  ...[
    'exp',
    'exp2',
    'expm1',
    'log',
    'log2',
    'log10',
    'log1p',
    'sqrt',
    'rsqrt',
    'sin',
    'cos',
    'tan',
    'asin',
    'acos',
    'atan',
  ],
  ...['sinh', 'cosh', 'asinh', 'acosh', 'atanh', 'tanh', 'erf', 'erfc'],
] as const) {
  unary[name] = { formula: plain((x, a) => a[name as 'exp'](x)), special: 1 };
}

/** The formula of an operator of one operand, number by number: the definition that its row form is held to. */
export function unaryFormula(name: string, attributes: Attributes): Formula {
  return unary[name]!.formula(attributes);
}

function unaryOperator(name: string, row: Unary): Operator {
  return {
    name,
    kind: 'pointwise',
    affine: row.affine ?? false,
    infer(inputs, attributes) {
      expectOperands(inputs, 1);
      if (!row.integers) expectFloating(inputs[0]!);
      row.formula(attributes);
      return [{ shape: inputs[0]!.shape, dtype: row.bool ? 'bool' : inputs[0]!.dtype }];
    },
    evaluate([x], attributes, arithmetic) {
      const from = x!.values;
      const out = new Float64Array(from.length);
      const rows = rowFormulas[name]?.(attributes);
      if (rows) {
        overRows(rows, from, out, arithmetic);
        return [out];
      }
      const formula = row.formula(attributes);
      for (let i = 0; i < from.length; i++) out[i] = formula(from[i]!, arithmetic);
      return [out];
    },
    operations: (_inputs, _attributes, outputs) =>
      perElement(outputCount(outputs), row.arithmetic ?? 1, row.special ?? 0),
  };
}

const dtypes: readonly DType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

const cast: Operator = {
  name: 'cast',
  kind: 'pointwise',
  affine: true,
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    return [{ shape: inputs[0]!.shape, dtype: attributes.choice('dtype', dtypes) }];
  },
  evaluate([x], attributes) {
    const dtype = attributes.choice('dtype', dtypes);
    // A widening cast changes nothing, and a narrowing one is part of the program: it rounds in every arithmetic.
    if (dtype === 'float64' || (dtype === 'float32' && x!.spec.dtype !== 'float64')) return [x!.values];
    const round = rounderOf(dtype);
    const out = new Float64Array(x!.values.length);
    for (let i = 0; i < out.length; i++) out[i] = round(x!.values[i]!);
    return [out];
  },
  operations: (_inputs, _attributes, outputs) => perElement(outputCount(outputs), 1),
};

/** neg ... isfinite, and cast. */
export const pointwiseOperators: readonly Operator[] = [
  ...Object.entries(unary).map(([name, row]) => unaryOperator(name, row)),
  cast,
];
