/**
 * Pointwise operators of two or three operands: arithmetic, comparison, logic, selection. NumPy's broadcasting; a Python scalar operand
 * is the attribute `other`, on the left when `reverse`.
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectDtype, expectFloating, expectOperands, expectSameDtype, outputCount, perElement } from './operator.ts';
import { broadcastShapes, broadcastStrides, broadcastTo, collapse, forEachRow } from './stride.ts';
import { isFloating, sameShape } from './tensor.ts';

type Formula = (x: number, y: number, a: Arithmetic) => number;

interface Binary {
  formula: (attributes: Attributes, dtype: TensorSpec['dtype']) => Formula;
  /** Operand types: default any of one type. */
  types?: 'integers' | 'mixed' | 'floating';
  bool?: boolean;
  /** A scalar operand is legal. */
  scalar: boolean;
  special?: number;
  affine?: boolean;
  /** The operation on rows that the formula is, where it has no rounding mode. */
  rows?: 'add' | 'subtract' | 'multiply' | 'divide';
}

/** C's remainder with the divisor's sign, PyTorch's `remainder`. */
function remainder(x: number, y: number): number {
  const r = x % y;
  return r !== 0 && r < 0 !== y < 0 ? r + y : r;
}

/** PyTorch's floor division of floats (c10::div_floor_floating): exact where the quotient is a whole number. */
function divideFloor(x: number, y: number, a: Arithmetic): number {
  if (y === 0) return x / y;
  const mod = x % y;
  let quotient = a.round(a.round(x - mod) / y);
  if (mod !== 0 && y < 0 !== mod < 0) quotient -= 1;
  if (quotient === 0) return 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** x^y with the short cuts PyTorch takes for scalar exponents, which change rounding and the root of -inf. */
function powScalar(x: number, y: number, a: Arithmetic): number {
  switch (y) {
    case 2:
      return a.round(x * x);
    case 3:
      return a.round(a.round(x * x) * x);
    case 1:
      return x;
    case 0.5:
      return a.sqrt(x);
    case -0.5:
      return a.rsqrt(x);
    case -1:
      return a.divide(1, x);
    case -2:
      return a.divide(1, a.round(x * x));
    default:
      return a.pow(x, y);
  }
}

const always =
  (formula: Formula): Binary['formula'] =>
  () =>
    formula;
const compare = (test: (x: number, y: number) => boolean): Binary => ({
  formula: always((x, y) => (test(x, y) ? 1 : 0)),
  scalar: true,
  bool: true,
});
const logic = (test: (x: boolean, y: boolean) => boolean): Binary => ({
  formula: always((x, y) => (test(x !== 0, y !== 0) ? 1 : 0)),
  scalar: false,
  bool: true,
  types: 'mixed',
});
/** Bits of 64-bit integers lie beyond JavaScript's 32-bit operators. */
const bits = (f: (x: bigint, y: bigint) => bigint): Binary => ({
  formula: always((x, y) => Number(f(BigInt(x), BigInt(y)))),
  scalar: true,
  types: 'integers',
});

const binary: Record<string, Binary> = {
  add: { formula: always((x, y, a) => a.round(x + y)), scalar: true, affine: true, rows: 'add' },
  sub: { formula: always((x, y, a) => a.round(x - y)), scalar: true, affine: true, rows: 'subtract' },
  mul: { formula: always((x, y, a) => a.round(x * y)), scalar: true, affine: true, rows: 'multiply' },
  div: {
    formula: (attributes, dtype) => {
      const rounding = attributes.choice('rounding', [null, 'floor', 'trunc']);
      if (rounding === 'floor') return isFloating(dtype) ? divideFloor : (x, y) => Math.floor(x / y);
      if (rounding === 'trunc') return (x, y, a) => Math.trunc(a.round(x / y));
      if (!isFloating(dtype)) throw new Error('True division of integers must be preceded by a cast.');
      return (x, y, a) => a.divide(x, y);
    },
    scalar: true,
    special: 1,
    rows: 'divide',
  },
  pow: {
    formula: (attributes) =>
      attributes.has('other') && !attributes.boolean('reverse') ? powScalar : (x, y, a) => a.pow(x, y),
    scalar: true,
    special: 1,
  },
  atan2: { formula: always((x, y, a) => a.atan2(x, y)), scalar: true, special: 1, types: 'floating' },
  fmod: { formula: always((x, y) => x % y), scalar: true, special: 1 },
  remainder: { formula: always((x, y, a) => a.round(remainder(x, y))), scalar: true, special: 1 },
  // Math.min and Math.max give NaN if either operand is, as PyTorch does.
  minimum: { formula: always((x, y) => Math.min(x, y)), scalar: true },
  maximum: { formula: always((x, y) => Math.max(x, y)), scalar: true },
  eq: compare((x, y) => x === y),
  ne: compare((x, y) => x !== y),
  lt: compare((x, y) => x < y),
  le: compare((x, y) => x <= y),
  gt: compare((x, y) => x > y),
  ge: compare((x, y) => x >= y),
  logical_and: logic((x, y) => x && y),
  logical_or: logic((x, y) => x || y),
  logical_xor: logic((x, y) => x !== y),
  bitwise_and: bits((x, y) => x & y),
  bitwise_or: bits((x, y) => x | y),
  bitwise_xor: bits((x, y) => x ^ y),
};

/** Rows shorter than this go number by number: a view of an array costs more than they do. */
const SHORTEST_ROW = 64;

/** Applies a row operation to two broadcast operands where each innermost run of x is dense, and y's dense or one number; false where they are not. */
function applyRows(
  x: HostTensor,
  y: HostTensor,
  shape: readonly number[],
  rows: NonNullable<Binary['rows']>,
  a: Arithmetic,
  out: Float64Array,
): boolean {
  const strides = [broadcastStrides(x.spec.shape, shape), broadcastStrides(y.spec.shape, shape)];
  const flat = collapse(shape, strides);
  const [last, step, stepOfY] = [flat.shape.at(-1), flat.strides[0]!.at(-1), flat.strides[1]!.at(-1)];
  if (last === undefined || last < SHORTEST_ROW || step !== 1 || (stepOfY !== 1 && stepOfY !== 0)) return false;
  forEachRow(shape, strides, ([i, j], length, _steps, at) => {
    const right = stepOfY === 0 ? y.values[j!]! : y.values.subarray(j!, j! + length);
    a.rows[rows](x.values.subarray(i!, i! + length), right, out.subarray(at, at + length), length);
  });
  return true;
}

/** Applies a formula to two broadcast operands; the hot loop is over the innermost run with constant strides. */
function apply2(
  x: HostTensor,
  y: HostTensor,
  shape: readonly number[],
  formula: Formula,
  a: Arithmetic,
  out: Float64Array,
): void {
  const xs = x.values;
  const ys = y.values;
  forEachRow(
    shape,
    [broadcastStrides(x.spec.shape, shape), broadcastStrides(y.spec.shape, shape)],
    (starts, length, steps, at) => {
      let i = starts[0]!;
      let j = starts[1]!;
      const si = steps[0]!;
      const sj = steps[1]!;
      for (let k = 0; k < length; k++, i += si, j += sj) out[at + k] = formula(xs[i]!, ys[j]!, a);
    },
  );
}

function binaryOperator(name: string, row: Binary): Operator {
  return {
    name,
    kind: 'pointwise',
    affine: row.affine ?? false,
    infer(inputs, attributes) {
      const scalar = row.scalar && attributes.has('other');
      expectOperands(inputs, scalar ? 1 : 2);
      if (scalar) {
        attributes.number('other');
        attributes.boolean('reverse');
      }
      if (row.types !== 'mixed') expectSameDtype(inputs);
      if (row.types === 'floating') expectFloating(inputs[0]!);
      if (row.types === 'integers' && isFloating(inputs[0]!.dtype)) throw new Error('It takes integer operands.');
      row.formula(attributes, inputs[0]!.dtype);
      return [{ shape: broadcastShapes(...inputs.map((s) => s.shape)), dtype: row.bool ? 'bool' : inputs[0]!.dtype }];
    },
    evaluate([x, y], attributes, arithmetic, outputs) {
      const { shape } = outputs[0]!;
      const formula = row.formula(attributes, x!.spec.dtype);
      const out = new Float64Array(outputCount(outputs));
      const rows =
        row.rows && !(row.rows === 'divide' && attributes.choice('rounding', [null, 'floor', 'trunc'])) && row.rows;
      if (y) {
        if (!rows || !applyRows(x!, y, shape, rows, arithmetic, out)) apply2(x!, y, shape, formula, arithmetic, out);
        return [out];
      }
      // PyTorch computes with the scalar as a float32 unless the tensor is float64: that is part of the program, in the reference too.
      const { dtype } = x!.spec;
      const given = attributes.number('other');
      const other = isFloating(dtype) && dtype !== 'float64' ? Math.fround(given) : given;
      const from = x!.values;
      if (rows && !attributes.boolean('reverse')) arithmetic.rows[rows](from, other, out, out.length);
      else if (attributes.boolean('reverse'))
        for (let i = 0; i < out.length; i++) out[i] = formula(other, from[i]!, arithmetic);
      else for (let i = 0; i < out.length; i++) out[i] = formula(from[i]!, other, arithmetic);
      return [out];
    },
    operations: (_inputs, _attributes, outputs) => perElement(outputCount(outputs), 1, row.special ?? 0),
  };
}

const where: Operator = {
  name: 'where',
  kind: 'pointwise',
  infer(inputs) {
    expectOperands(inputs, 3);
    expectDtype(inputs[0], 'bool', 'condition');
    expectSameDtype(inputs.slice(1));
    return [{ shape: broadcastShapes(...inputs.map((s) => s.shape)), dtype: inputs[1]!.dtype }];
  },
  evaluate([condition, x, y], _attributes, _arithmetic, outputs) {
    const { shape } = outputs[0]!;
    const out = new Float64Array(outputCount(outputs));
    const strides = [condition!, x!, y!].map((t) => broadcastStrides(t.spec.shape, shape));
    forEachRow(shape, strides, (starts, length, steps, at) => {
      let [c, i, j] = starts as [number, number, number];
      for (let k = 0; k < length; k++) {
        out[at + k] = condition!.values[c] ? x!.values[i]! : y!.values[j]!;
        c += steps[0]!;
        i += steps[1]!;
        j += steps[2]!;
      }
    });
    return [out];
  },
  operations: (_inputs, _attributes, outputs) => perElement(outputCount(outputs), 1),
  // Which of x and y is read depends on the condition's values.
  reads: (inputs, _attributes, outputs, [demand]) => [
    Math.min(demand!, Math.ceil((demand! * count(inputs[0]!)) / Math.max(1, outputCount(outputs)))),
    0,
    0,
  ],
};

const maskedFill: Operator = {
  name: 'masked_fill',
  kind: 'pointwise',
  infer(inputs, attributes) {
    expectOperands(inputs, 2);
    expectDtype(inputs[1], 'bool', 'mask');
    attributes.number('value');
    if (!sameShape(broadcastShapes(inputs[0]!.shape, inputs[1]!.shape), inputs[0]!.shape)) {
      throw new Error('Its mask must broadcast to the shape of x.');
    }
    return [inputs[0]!];
  },
  evaluate([x, mask], attributes, arithmetic) {
    const value = attributes.number('value');
    const fill = isFloating(x!.spec.dtype) ? arithmetic.round(value) : value;
    const masked = broadcastTo(mask!.values, mask!.spec.shape, x!.spec.shape);
    const out = x!.values.slice();
    for (let i = 0; i < out.length; i++) if (masked[i]) out[i] = fill;
    return [out];
  },
  operations: (_inputs, _attributes, outputs) => perElement(outputCount(outputs), 1),
  reads: (inputs, _attributes, outputs, [demand]) => [
    0,
    Math.ceil((demand! * count(inputs[1]!)) / Math.max(1, outputCount(outputs))),
  ],
};

function count(spec: TensorSpec): number {
  return spec.shape.reduce((n, size) => n * size, 1);
}

/** add ... bitwise_xor, where, masked_fill. */
export const binaryOperators: readonly Operator[] = [
  ...Object.entries(binary).map(([name, row]) => binaryOperator(name, row)),
  where,
  maskedFill,
];
