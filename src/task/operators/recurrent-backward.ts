/**
 * Gradients of the recurrent layers: backpropagation through time. The forward is run again and keeps what every step needs; then layers last to first, steps last to
 * first. Operands: the forward's, then the gradients of its outputs. Outputs: the gradients of the forward's operands, in their order.
 */
import type { HostTensor } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import { gemm } from './gemm.ts';
import type { Operator } from './operator.ts';
import { expectSameDtype, expectShape } from './operator.ts';
import { sigmoid } from './pointwise.ts';
import { affine, type Cell, gates, type RecurrentSizes, recurrentOperators, sizesOf, swapped } from './recurrent.ts';

/** What one step keeps: activated gates [batch, gates, hidden], the states before it, the cell after it, and (GRU) the hidden product of its last gate. */
interface Kept {
  gate: Float64Array;
  before: Float64Array;
  cellBefore: Float64Array;
  cellAfter: Float64Array;
  product: Float64Array;
}

/** The gradients that flow from one step to the one before it. */
interface Flow {
  h: Float64Array;
  c: Float64Array;
}

/** One element of one step: activates the gates, gives the new hidden state (and the new cell's value, in `kept`). */
type Forward = (
  kept: Kept,
  fromX: Float64Array,
  fromH: Float64Array,
  at: number,
  e: number,
  hidden: number,
  a: Arithmetic,
) => number;

/** One element of one step: from the gradient of its hidden state to those of the products with x and with h; leaves in `flow` what goes on without a product. */
type Backward = (
  kept: Kept,
  dh: number,
  flow: Flow,
  dx: Float64Array,
  dhProduct: Float64Array,
  at: number,
  e: number,
  hidden: number,
  a: Arithmetic,
) => void;

interface CellRule {
  forward: Forward;
  backward: Backward;
}

/** d y / d pre of a sigmoid, times d. */
const throughSigmoid = (d: number, y: number, a: Arithmetic) => a.round(d * a.round(y * a.round(1 - y)));
const throughTanh = (d: number, y: number, a: Arithmetic) => a.round(d * a.round(1 - a.round(y * y)));

const lstm: CellRule = {
  forward({ gate, cellBefore, cellAfter }, fromX, fromH, at, e, hidden, a) {
    for (let g = 0; g < 4; g++) {
      const k = at + g * hidden;
      const pre = a.round(fromX[k]! + fromH[k]!);
      gate[k] = g === 2 ? a.tanh(pre) : sigmoid(pre, a);
    }
    const kept = a.round(gate[at + hidden]! * cellBefore[e]!);
    cellAfter[e] = a.round(kept + a.round(gate[at]! * gate[at + 2 * hidden]!));
    return a.round(gate[at + 3 * hidden]! * a.tanh(cellAfter[e]!));
  },
  backward({ gate, cellBefore, cellAfter }, dh, flow, dx, dhProduct, at, e, hidden, a) {
    const [i, f, g, o] = [gate[at]!, gate[at + hidden]!, gate[at + 2 * hidden]!, gate[at + 3 * hidden]!];
    const t = a.tanh(cellAfter[e]!);
    const dc = a.round(flow.c[e]! + throughTanh(a.round(dh * o), t, a));
    dx[at] = throughSigmoid(a.round(dc * g), i, a);
    dx[at + hidden] = throughSigmoid(a.round(dc * cellBefore[e]!), f, a);
    dx[at + 2 * hidden] = throughTanh(a.round(dc * i), g, a);
    dx[at + 3 * hidden] = throughSigmoid(a.round(dh * t), o, a);
    for (let k = 0; k < 4; k++) dhProduct[at + k * hidden] = dx[at + k * hidden]!;
    flow.c[e] = a.round(dc * f);
    flow.h[e] = 0;
  },
};

const gru: CellRule = {
  forward({ gate, before, product }, fromX, fromH, at, e, hidden, a) {
    const [r, z] = [0, 1].map((g) => sigmoid(a.round(fromX[at + g * hidden]! + fromH[at + g * hidden]!), a)) as [
      number,
      number,
    ];
    product[e] = fromH[at + 2 * hidden]!;
    const n = a.tanh(a.round(fromX[at + 2 * hidden]! + a.round(r * product[e]!)));
    gate[at] = r;
    gate[at + hidden] = z;
    gate[at + 2 * hidden] = n;
    return a.round(a.round(a.round(1 - z) * n) + a.round(z * before[e]!));
  },
  backward({ gate, before, product }, dh, flow, dx, dhProduct, at, e, hidden, a) {
    const [r, z, n] = [gate[at]!, gate[at + hidden]!, gate[at + 2 * hidden]!];
    const dn = throughTanh(a.round(dh * a.round(1 - z)), n, a);
    dx[at] = throughSigmoid(a.round(dn * product[e]!), r, a);
    dx[at + hidden] = throughSigmoid(a.round(dh * a.round(before[e]! - n)), z, a);
    dx[at + 2 * hidden] = dn;
    dhProduct[at] = dx[at]!;
    dhProduct[at + hidden] = dx[at + hidden]!;
    dhProduct[at + 2 * hidden] = a.round(dn * r);
    flow.h[e] = a.round(dh * z);
  },
};

const plain = (relu: boolean): CellRule => ({
  forward({ gate }, fromX, fromH, at, _e, _hidden, a) {
    const pre = a.round(fromX[at]! + fromH[at]!);
    gate[at] = relu ? (pre < 0 ? 0 : pre) : a.tanh(pre);
    return gate[at]!;
  },
  backward({ gate }, dh, flow, dx, dhProduct, at, e, _hidden, a) {
    const y = gate[at]!;
    dx[at] = relu ? (y <= 0 ? 0 : dh) : throughTanh(dh, y, a);
    dhProduct[at] = dx[at]!;
    flow.h[e] = 0;
  },
});

/** out += the product of the transpose of [rows, m] and [rows, n]: a weight's gradient. */
function addTransposed(
  left: Float64Array,
  right: Float64Array,
  rows: number,
  m: number,
  n: number,
  out: Float64Array,
  a: Arithmetic,
): void {
  const part = new Float64Array(m * n);
  gemm(
    m,
    n,
    rows,
    { values: left, start: 0, row: 1, column: m },
    { values: right, start: 0, row: n, column: 1 },
    part,
    0,
    a,
  );
  for (let i = 0; i < part.length; i++) out[i] = a.round(out[i]! + part[i]!);
}

/** [rows, k] times [k, n]. */
function times(
  left: Float64Array,
  right: Float64Array,
  rows: number,
  k: number,
  n: number,
  a: Arithmetic,
): Float64Array {
  const out = new Float64Array(rows * n);
  gemm(
    rows,
    n,
    k,
    { values: left, start: 0, row: k, column: 1 },
    { values: right, start: 0, row: n, column: 1 },
    out,
    0,
    a,
  );
  return out;
}

function addTo(out: Float64Array, from: Float64Array, a: Arithmetic): void {
  for (let i = 0; i < out.length; i++) out[i] = a.round(out[i]! + from[i]!);
}

/** One direction of one layer: its operands, run forward and then back. */
class Direction {
  readonly #kept: Kept[] = [];
  readonly #s: RecurrentSizes;
  readonly #rule: CellRule;
  readonly #rows: number;
  readonly #weights: readonly HostTensor[];
  readonly #a: Arithmetic;

  constructor(s: RecurrentSizes, rule: CellRule, rows: number, weights: readonly HostTensor[], a: Arithmetic) {
    this.#s = s;
    this.#rule = rule;
    this.#rows = rows;
    this.#weights = weights;
    this.#a = a;
  }

  /** Hidden states of all steps, in the order of the steps as run. `time(i)` is the i-th step's place in x. */
  forward(
    x: Float64Array,
    width: number,
    h0: Float64Array,
    c0: Float64Array,
    time: (i: number) => number,
  ): Float64Array[] {
    const { batch, hidden, steps } = this.#s;
    const [wih, whh, bih, bhh] = this.#weights as [HostTensor, HostTensor, HostTensor?, HostTensor?];
    const fromX = affine(x, 0, steps * batch, width, wih, bih, this.#a);
    let [h, c] = [h0, c0];
    return Array.from({ length: steps }, (_, i) => {
      const t = time(i);
      const fromH = affine(h, 0, batch, hidden, whh, bhh, this.#a);
      const own = fromX.subarray(t * batch * this.#rows, (t + 1) * batch * this.#rows);
      const size = batch * hidden;
      const kept: Kept = {
        gate: new Float64Array(batch * this.#rows),
        ...{ before: h, cellBefore: c, cellAfter: new Float64Array(size), product: new Float64Array(size) },
      };
      const next = new Float64Array(size);
      for (let e = 0; e < size; e++) {
        const at = Math.floor(e / hidden) * this.#rows + (e % hidden);
        next[e] = this.#rule.forward(kept, own, fromH, at, e, hidden, this.#a);
      }
      this.#kept.push(kept);
      h = next;
      c = kept.cellAfter;
      return next;
    });
  }

  /**
   * From the gradients of the hidden states (by step as run) and of the last states (in `flow`, which ends as those of the first) to that of x, which is added to
   * `dx`, and of the weights, in their order.
   */
  backward(
    x: Float64Array,
    width: number,
    douts: readonly Float64Array[],
    flow: Flow,
    dx: Float64Array,
    time: (i: number) => number,
  ): Float64Array[] {
    const { batch, hidden, steps } = this.#s;
    const a = this.#a;
    const [wih, whh] = this.#weights as readonly [HostTensor, HostTensor];
    const grads = this.#weights.map((w) => new Float64Array(w.values.length));
    for (let i = steps - 1; i >= 0; i--) {
      const kept = this.#kept[i]!;
      const [dGate, dProduct] = [new Float64Array(kept.gate.length), new Float64Array(kept.gate.length)];
      for (let e = 0; e < batch * hidden; e++) {
        const at = Math.floor(e / hidden) * this.#rows + (e % hidden);
        const dh = a.round(douts[i]![e]! + flow.h[e]!);
        this.#rule.backward(kept, dh, flow, dGate, dProduct, at, e, hidden, a);
      }
      addTo(flow.h, times(dProduct, whh.values, batch, this.#rows, hidden, a), a);
      const t = time(i);
      const [from, to] = [t * batch * width, (t + 1) * batch * width];
      addTo(dx.subarray(from, to), times(dGate, wih.values, batch, this.#rows, width, a), a);
      addTransposed(dGate, x.subarray(from, to), batch, this.#rows, width, grads[0]!, a);
      addTransposed(dProduct, kept.before, batch, this.#rows, hidden, grads[1]!, a);
      [dGate, dProduct].forEach((d, k) => {
        const bias = grads[2 + k];
        if (bias) for (let j = 0; j < d.length; j++) bias[j % this.#rows] = a.round(bias[j % this.#rows]! + d[j]!);
      });
    }
    return grads;
  }
}

function backwardOperator(name: Cell): Operator {
  const forward = recurrentOperators.find((operator) => operator.name === name)!;
  const states = name === 'lstm' ? 2 : 1;
  /** The forward's operands, and the gradients of its outputs. */
  const split = <T>(inputs: readonly T[]): [T[], T[]] => [inputs.slice(0, -1 - states), inputs.slice(-1 - states)];
  return {
    name: `${name}_backward`,
    kind: 'recurrent',
    infer(inputs, attributes) {
      expectSameDtype(inputs);
      const [operands, grads] = split(inputs);
      forward.infer(operands, attributes).forEach((spec, o) => {
        expectShape(grads[o], spec.shape, `gradient of output ${o}`);
      });
      return operands;
    },
    evaluate(inputs, attributes, a) {
      const [operands, douts] = split(inputs);
      const s = sizesOf(operands[0]!.spec, attributes);
      const rule = { lstm, gru, rnn: plain(name === 'rnn' && attributes.string('nonlinearity') === 'relu') }[name];
      return throughLayers(s, rule, gates[name] * s.hidden, states, operands, douts, a);
    },
    operations(inputs, attributes) {
      // The forward again, and two products of its size for each of its products.
      const once = forward.operations(split(inputs)[0], attributes, []);
      return { arithmetic: 3 * once.arithmetic, special: once.special, contraction: 3 * once.contraction };
    },
  };
}

function throughLayers(
  s: RecurrentSizes,
  rule: CellRule,
  rows: number,
  states: number,
  operands: readonly HostTensor[],
  douts: readonly HostTensor[],
  a: Arithmetic,
): Float64Array[] {
  const { steps, batch, hidden, directions } = s;
  const size = batch * hidden;
  const inner = hidden * directions;
  const perDirection = s.bias ? 4 : 2;
  const out = operands.map((t) => new Float64Array(t.values.length));
  const timeOf = (d: number) => (i: number) => (d === 0 ? i : steps - 1 - i);
  const stateAt = (values: Float64Array, layer: number, d: number) =>
    values.subarray((layer * directions + d) * size, (layer * directions + d + 1) * size);

  const layers: { x: Float64Array; width: number; run: Direction[] }[] = [];
  let x = s.batchFirst ? swapped(operands[0]!.values, batch, steps, s.width) : operands[0]!.values;
  let width = s.width;
  for (let layer = 0; layer < s.layers; layer++) {
    const next = new Float64Array(steps * batch * inner);
    const run = Array.from({ length: directions }, (_, d) => {
      const first = 1 + states + (layer * directions + d) * perDirection;
      const direction = new Direction(s, rule, rows, operands.slice(first, first + perDirection), a);
      const h0 = stateAt(operands[1]!.values, layer, d);
      const c0 = states === 2 ? stateAt(operands[2]!.values, layer, d) : h0;
      direction.forward(x, width, h0, c0, timeOf(d)).forEach((h, i) => {
        for (let n = 0; n < batch; n++)
          next.set(h.subarray(n * hidden, (n + 1) * hidden), (timeOf(d)(i) * batch + n) * inner + d * hidden);
      });
      return direction;
    });
    layers.push({ x, width, run });
    x = next;
    width = inner;
  }

  let dout = s.batchFirst ? swapped(douts[0]!.values, batch, steps, inner) : douts[0]!.values;
  for (let layer = s.layers - 1; layer >= 0; layer--) {
    const own = layers[layer]!;
    const dx = new Float64Array(own.x.length);
    own.run.forEach((direction, d) => {
      const parts = Array.from({ length: steps }, (_, i) => {
        const part = new Float64Array(size);
        for (let n = 0; n < batch; n++) {
          const from = (timeOf(d)(i) * batch + n) * inner + d * hidden;
          part.set(dout.subarray(from, from + hidden), n * hidden);
        }
        return part;
      });
      const last = (k: number) => stateAt(douts[1 + k]!.values, layer, d).slice();
      const flow: Flow = { h: last(0), c: states === 2 ? last(1) : new Float64Array(size) };
      const first = 1 + states + (layer * directions + d) * perDirection;
      direction.backward(own.x, own.width, parts, flow, dx, timeOf(d)).forEach((grad, k) => {
        out[first + k]!.set(grad);
      });
      stateAt(out[1]!, layer, d).set(flow.h);
      if (states === 2) stateAt(out[2]!, layer, d).set(flow.c);
    });
    dout = dx;
  }
  out[0]!.set(s.batchFirst ? swapped(dout, steps, batch, s.width) : dout);
  return out;
}

/** lstm_backward, gru_backward, rnn_backward. */
export const recurrentBackwardOperators: readonly Operator[] = (['lstm', 'gru', 'rnn'] as const).map(backwardOperator);
