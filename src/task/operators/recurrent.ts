/**
 * LSTM, GRU and plain recurrent layers, kept whole as PyTorch keeps them. Gate order i f g o and r z n; the equations are those of
 * PyTorch's documentation (in the GRU the reset gate multiplies the hidden product with its bias).
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import { gemm } from './gemm.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectSameDtype, expectShape } from './operator.ts';
import { sigmoid } from './pointwise.ts';

export type Cell = 'lstm' | 'gru' | 'rnn';

export const gates: Readonly<Record<Cell, number>> = { lstm: 4, gru: 3, rnn: 1 };

export interface RecurrentSizes {
  steps: number;
  batch: number;
  width: number;
  hidden: number;
  layers: number;
  directions: number;
  batchFirst: boolean;
  bias: boolean;
}

export function sizesOf(x: TensorSpec, attributes: Attributes): RecurrentSizes {
  if (x.shape.length !== 3) throw new Error(`Its input must have 3 dimensions, not [${x.shape.join(', ')}].`);
  const batchFirst = attributes.boolean('batch_first');
  const [first, second, width] = x.shape as readonly [number, number, number];
  return {
    steps: batchFirst ? second : first,
    batch: batchFirst ? first : second,
    width,
    hidden: attributes.integer('hidden_size', 1),
    layers: attributes.integer('num_layers', 1),
    directions: attributes.boolean('bidirectional') ? 2 : 1,
    batchFirst,
    bias: attributes.boolean('bias'),
  };
}

/** x W^T + b for rows of x. */
export function affine(
  x: Float64Array,
  start: number,
  rows: number,
  k: number,
  weight: HostTensor,
  bias: HostTensor | undefined,
  a: Arithmetic,
): Float64Array {
  const n = weight.spec.shape[0]!;
  const out = new Float64Array(rows * n);
  gemm(
    rows,
    n,
    k,
    { values: x, start, row: k, column: 1 },
    { values: weight.values, start: 0, row: 1, column: k },
    out,
    0,
    a,
  );
  if (bias) for (let i = 0; i < out.length; i++) out[i] = a.round(out[i]! + bias.values[i % n]!);
  return out;
}

/** One step of a cell for one row: reads gates from `fromX` and `fromH` at `at`, updates h (and c) at `state`. */
type Step = (
  fromX: Float64Array,
  fromH: Float64Array,
  at: number,
  h: Float64Array,
  c: Float64Array,
  state: number,
  hidden: number,
  a: Arithmetic,
) => void;

const lstmStep: Step = (fromX, fromH, at, h, c, state, hidden, a) => {
  for (let j = 0; j < hidden; j++) {
    const gate = (g: number) => a.round(fromX[at + g * hidden + j]! + fromH[at + g * hidden + j]!);
    const input = sigmoid(gate(0), a);
    const forget = sigmoid(gate(1), a);
    const cell = a.tanh(gate(2));
    const output = sigmoid(gate(3), a);
    const next = a.round(a.round(forget * c[state + j]!) + a.round(input * cell));
    c[state + j] = next;
    h[state + j] = a.round(output * a.tanh(next));
  }
};

const gruStep: Step = (fromX, fromH, at, h, _c, state, hidden, a) => {
  for (let j = 0; j < hidden; j++) {
    const reset = sigmoid(a.round(fromX[at + j]! + fromH[at + j]!), a);
    const update = sigmoid(a.round(fromX[at + hidden + j]! + fromH[at + hidden + j]!), a);
    const fresh = a.tanh(a.round(fromX[at + 2 * hidden + j]! + a.round(reset * fromH[at + 2 * hidden + j]!)));
    h[state + j] = a.round(a.round(a.round(1 - update) * fresh) + a.round(update * h[state + j]!));
  }
};

const plainStep =
  (relu: boolean): Step =>
  (fromX, fromH, at, h, _c, state, hidden, a) => {
    for (let j = 0; j < hidden; j++) {
      const sum = a.round(fromX[at + j]! + fromH[at + j]!);
      h[state + j] = relu ? (sum < 0 ? 0 : sum) : a.tanh(sum);
    }
  };

function recurrentOperator(name: Cell): Operator {
  const states = name === 'lstm' ? 2 : 1;
  return {
    name,
    kind: 'recurrent',
    infer(inputs, attributes) {
      expectSameDtype(inputs);
      expectFloating(inputs[0]!);
      const s = sizesOf(inputs[0]!, attributes);
      if (name === 'rnn') attributes.choice('nonlinearity', ['tanh', 'relu']);
      const state = [s.layers * s.directions, s.batch, s.hidden];
      for (let i = 1; i <= states; i++) expectShape(inputs[i], state, i === 1 ? 'h0' : 'c0');
      let at = 1 + states;
      const rows = gates[name] * s.hidden;
      for (let layer = 0; layer < s.layers; layer++) {
        for (let d = 0; d < s.directions; d++) {
          expectShape(inputs[at++], [rows, layer === 0 ? s.width : s.hidden * s.directions], `w_ih of layer ${layer}`);
          expectShape(inputs[at++], [rows, s.hidden], `w_hh of layer ${layer}`);
          if (s.bias) {
            expectShape(inputs[at++], [rows], `b_ih of layer ${layer}`);
            expectShape(inputs[at++], [rows], `b_hh of layer ${layer}`);
          }
        }
      }
      if (at !== inputs.length) throw new Error(`It takes ${at} operands here, not ${inputs.length}.`);
      const { dtype } = inputs[0]!;
      const out = s.hidden * s.directions;
      return [
        { shape: s.batchFirst ? [s.batch, s.steps, out] : [s.steps, s.batch, out], dtype },
        ...Array.from({ length: states }, () => ({ shape: state, dtype })),
      ];
    },
    evaluate(inputs, attributes, a) {
      const s = sizesOf(inputs[0]!.spec, attributes);
      const step =
        name === 'lstm' ? lstmStep : name === 'gru' ? gruStep : plainStep(attributes.string('nonlinearity') === 'relu');
      // Work in [steps, batch, features] throughout.
      let x = s.batchFirst ? swapped(inputs[0]!.values, s.batch, s.steps, s.width) : inputs[0]!.values;
      let width = s.width;
      const cellSize = s.batch * s.hidden;
      const last = Array.from({ length: states }, (_, i) => inputs[1 + i]!.values.slice());
      let at = 1 + states;
      for (let layer = 0; layer < s.layers; layer++) {
        const outWidth = s.hidden * s.directions;
        const out = new Float64Array(s.steps * s.batch * outWidth);
        for (let d = 0; d < s.directions; d++) {
          const [wih, whh] = [inputs[at]!, inputs[at + 1]!];
          const [bih, bhh] = s.bias ? [inputs[at + 2], inputs[at + 3]] : [undefined, undefined];
          at += s.bias ? 4 : 2;
          const from = (layer * s.directions + d) * cellSize;
          const h = last[0]!.subarray(from, from + cellSize);
          const c = (last[1] ?? last[0]!).subarray(from, from + cellSize);
          const fromX = affine(x, 0, s.steps * s.batch, width, wih, bih, a);
          const rows = gates[name] * s.hidden;
          for (let i = 0; i < s.steps; i++) {
            const t = d === 0 ? i : s.steps - 1 - i;
            const fromH = affine(h, 0, s.batch, s.hidden, whh, bhh, a);
            const ofStep = fromX.subarray(t * s.batch * rows, (t + 1) * s.batch * rows);
            for (let n = 0; n < s.batch; n++) {
              step(ofStep, fromH, n * rows, h, c, n * s.hidden, s.hidden, a);
              out.set(h.subarray(n * s.hidden, (n + 1) * s.hidden), (t * s.batch + n) * outWidth + d * s.hidden);
            }
          }
        }
        x = out;
        width = outWidth;
      }
      return [s.batchFirst ? swapped(x, s.steps, s.batch, width) : x, ...last];
    },
    operations(inputs, attributes) {
      const s = sizesOf(inputs[0]!, attributes);
      const rows = gates[name] * s.hidden * s.directions * s.steps * s.batch;
      let terms = 0;
      for (let layer = 0; layer < s.layers; layer++)
        terms += (layer === 0 ? s.width : s.hidden * s.directions) + s.hidden;
      return { arithmetic: 4 * rows * s.layers, special: rows * s.layers, contraction: 2 * rows * terms };
    },
  };
}

/** [a, b, c] to [b, a, c]. */
export function swapped(values: Float64Array, a: number, b: number, c: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) out.set(values.subarray((i * b + j) * c, (i * b + j + 1) * c), (j * a + i) * c);
  }
  return out;
}

/** lstm, gru, rnn. */
export const recurrentOperators: readonly Operator[] = [
  recurrentOperator('lstm'),
  recurrentOperator('gru'),
  recurrentOperator('rnn'),
];
