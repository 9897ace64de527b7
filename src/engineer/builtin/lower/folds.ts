/**
 * Folds: how a reduction combines elements. A table: state, neutral element, how one element enters, how two states merge.
 *
 * Merging is associative up to rounding, and commutative but for folds that only scans use, so that lanes, warps and blocks
 * may each fold a part. NaN propagates through max, min, argmax and argmin as in PyTorch.
 */
import { type ComputeType, isFloating, literal, mathFunction } from './scalar.ts';

export type FoldName = 'sum' | 'prod' | 'max' | 'min' | 'any' | 'all' | 'argmax' | 'argmin' | 'max_sum_exp';

/** Folds that are run along a line. `affine` is the recurrence s[j] = a[j] s[j-1] + b[j], lifted from a and b. */
export type ScanName = 'sum' | 'prod' | 'max' | 'min' | 'max_sum_exp' | 'affine' | 'argmax_last' | 'argmin_last';

interface Fold {
  /** Fields of the state; a single field means that the state is a plain variable. `T`: the compute type of the elements. */
  fields: readonly { name: string; type: 'T' | 'int' }[];
  /** Neutral value of each field. */
  neutral: (type: ComputeType) => readonly string[];
  /** The state of one element `x` with index `j` along the row; `y` is a scan's second input. */
  lift: (x: string, j: string, type: ComputeType, y?: string) => readonly string[];
  /** Body of `merge(State a, State b)`. For one field, a and b are values. */
  merge: (type: ComputeType) => string;
  /** For people. */
  doc: string;
}

const lowest = (type: ComputeType): string => {
  if (isFloating(type)) return literal(-Infinity, type);
  if (type === 'bool') return 'false';
  return type === 'int' ? literal(-2147483648, 'int') : '(-9223372036854775807LL - 1)';
};
const highest = (type: ComputeType): string => {
  if (isFloating(type)) return literal(Infinity, type);
  if (type === 'bool') return 'true';
  return type === 'int' ? '2147483647' : '9223372036854775807LL';
};

/** The greater or the less of two; of floats by the one instruction that lets NaN win, where the GPU has it (sm_80 and later). */
const extreme = (type: ComputeType, name: 'max' | 'min', compare: '>' | '<'): string => {
  if (!isFloating(type)) return `return a ${compare} b ? a : b;`;
  const plain = `return (a ${compare} b || a != a) ? a : b;`;
  if (type !== 'float') return plain;
  return `#if __CUDA_ARCH__ >= 800
float result;
asm("${name}.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
return result;
#else
${plain}
#endif`;
};

/** The running extreme's place, where the last of equals and a NaN before all else count, as in the gradient of cummax. */
const lastIndex = (compare: '>=' | '<=', worst: (type: ComputeType) => string): Fold => ({
  fields: [
    { name: 'value', type: 'T' },
    { name: 'index', type: 'int' },
  ],
  neutral: (type) => [worst(type), '-1'],
  lift: (x, j) => [x, j],
  merge: () =>
    [
      'const bool a_nan = a.value != a.value, b_nan = b.value != b.value;',
      `const bool b_wins = b.index >= 0 && (a.index < 0 || b_nan || (!a_nan && b.value ${compare} a.value));`,
      'return b_wins ? b : a;',
    ].join('\n'),
  doc: 'best value so far and its last index',
});

/** `compare` is > for argmax, < for argmin: NaN first, then the better value, then the first index. */
const bestIndex = (compare: '>' | '<', worst: (type: ComputeType) => string): Fold => ({
  fields: [
    { name: 'value', type: 'T' },
    { name: 'index', type: 'int' },
  ],
  neutral: (type) => [worst(type), '2147483647'],
  lift: (x, j) => [x, j],
  merge: (type) =>
    [
      ...(isFloating(type)
        ? [
            'const bool a_nan = a.value != a.value, b_nan = b.value != b.value;',
            'if (a_nan || b_nan) return (b_nan && (!a_nan || b.index < a.index)) ? b : a;',
          ]
        : []),
      `const bool b_wins = b.value ${compare} a.value || (b.value == a.value && b.index < a.index);`,
      'return b_wins ? b : a;',
    ].join('\n'),
  doc: 'best value and its first index; NaN counts as best, as in PyTorch',
});

export const folds: Readonly<Record<FoldName | ScanName, Fold>> = {
  sum: {
    fields: [{ name: 'value', type: 'T' }],
    neutral: (type) => [literal(0, type)],
    lift: (x) => [x],
    merge: () => 'return a + b;',
    doc: 'sum',
  },
  prod: {
    fields: [{ name: 'value', type: 'T' }],
    neutral: (type) => [literal(1, type)],
    lift: (x) => [x],
    merge: () => 'return a * b;',
    doc: 'product',
  },
  max: {
    fields: [{ name: 'value', type: 'T' }],
    neutral: (type) => [lowest(type)],
    lift: (x) => [x],
    merge: (type) => extreme(type, 'max', '>'),
    doc: 'maximum; NaN wins, as in PyTorch',
  },
  min: {
    fields: [{ name: 'value', type: 'T' }],
    neutral: (type) => [highest(type)],
    lift: (x) => [x],
    merge: (type) => extreme(type, 'min', '<'),
    doc: 'minimum; NaN wins, as in PyTorch',
  },
  any: {
    fields: [{ name: 'value', type: 'T' }],
    neutral: () => ['false'],
    lift: (x) => [x],
    merge: () => 'return a || b;',
    doc: 'any true',
  },
  all: {
    fields: [{ name: 'value', type: 'T' }],
    neutral: () => ['true'],
    lift: (x) => [x],
    merge: () => 'return a && b;',
    doc: 'all true',
  },
  argmax: bestIndex('>', lowest),
  argmin: bestIndex('<', highest),
  argmax_last: lastIndex('>=', lowest),
  argmin_last: lastIndex('<=', highest),
  affine: {
    fields: [
      { name: 'scale', type: 'T' },
      { name: 'shift', type: 'T' },
    ],
    neutral: (type) => [literal(1, type), literal(0, type)],
    lift: (x, _j, _type, y) => [x, y!],
    merge: () => 'return {a.scale * b.scale, b.scale * a.shift + b.shift};',
    doc: 's -> scale * s + shift, first a and then b',
  },
  max_sum_exp: {
    fields: [
      { name: 'max', type: 'T' },
      { name: 'sum', type: 'T' },
    ],
    neutral: (type) => [lowest(type), literal(0, type)],
    lift: (x, _j, type) => [x, literal(1, type)],
    merge: (type) => {
      const exp = mathFunction('exp', type);
      return [
        'const T m = (a.max > b.max || a.max != a.max) ? a.max : b.max;',
        '// A sum keeps its scale where its maximum is already the joint one: no exp(-inf - -inf), and no branch that parts a warp.',
        `const T scale_a = ${exp}(a.max == m ? ${literal(0, type)} : a.max - m);`,
        `const T scale_b = ${exp}(b.max == m ? ${literal(0, type)} : b.max - m);`,
        'return {m, a.sum * scale_a + b.sum * scale_b};',
      ].join('\n');
    },
    doc: 'maximum and sum of exp(x - maximum) in one pass (online softmax)',
  },
};
