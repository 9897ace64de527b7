/**
 * Operations that no algorithm for a graph can leave out.
 *
 * Contractions: a product counts where each of its elements matters by itself, that is, where it reaches an output or a non-linear operator. One that is
 * only summed or multiplied on can be re-associated, and counts nothing; one of a product counts with the smaller inner size.
 * Known zeros (triangles) count by their share; zeros whose place depends on data make an operand count as empty. Two levels of Strassen's
 * algorithm (49/64) are granted to large products, and to convolutions Winograd's F(6, k), or a Fourier transform for long kernels.
 *
 * Special functions and arithmetic: one a distinct element of non-linear pointwise operators, softmaxes, reductions and scans; affine
 * pointwise operators fold into their neighbours.
 */
import { lowerCount } from '../operators/layout.ts';
import { Attributes } from '../operators/operator.ts';
import { valueSpecs } from '../operators/rewrite.ts';
import { operatorOf } from '../operators/table.ts';
import { elementCount } from '../operators/tensor.ts';
import type { DType, Graph, GraphNode, TensorSpec } from '../types.ts';

export interface LeastOperations {
  arithmetic: number;
  special: number;
  /** By element type of the operands; a multiply-add counts two. */
  contraction: { dtype: DType; operations: number }[];
}

/** Smallest side from which two levels of Strassen's algorithm are granted. */
const STRASSEN_SIDE = 1024;

/** Least operations of a simplified graph, given how many elements of each value are demanded. */
export function leastOperations(graph: Graph, demand: ReadonlyMap<number, number>): LeastOperations {
  const facts = new Facts(graph);
  const total: LeastOperations = { arithmetic: 0, special: 0, contraction: [] };
  for (const node of graph.nodes) {
    const output = node.outputs[0]!;
    const count = elementCount(output.spec.shape);
    const share = count === 0 ? 0 : Math.min(1, Math.max(0, ...node.outputs.map((o) => demand.get(o.id) ?? 0)) / count);
    if (share === 0) continue;
    const inputs = node.inputs.map((id) => facts.specs.get(id)!);
    const operator = operatorOf(node.op);
    if (operator.kind === 'contraction' || operator.kind === 'recurrent') {
      if (!facts.pinned(output.id)) continue;
      const macs = contractionWork(node, inputs, facts) * share;
      if (macs > 0) total.contraction.push({ dtype: inputs[0]!.dtype, operations: 2 * macs });
      continue;
    }
    if (operator.affine) continue;
    const distinct = share * Math.max(0, ...node.inputs.map((id) => facts.distinct(id)));
    switch (operator.kind) {
      case 'pointwise':
      case 'scan':
        total.arithmetic += distinct;
        break;
      case 'softmax':
      case 'normalisation':
      case 'loss':
      case 'reduction':
        // A linear reduction of a product that is not needed itself is re-associated with it.
        if (!node.inputs.every((id) => facts.innerSize(id) === Infinity)) continue;
        total.arithmetic += distinct;
        break;
      default:
        continue;
    }
    const attributes = new Attributes(node.op, node.attributes);
    const { special } = operator.operations(
      inputs,
      attributes,
      node.outputs.map((o) => o.spec),
    );
    if (special >= elementCount(inputs[0]!.shape)) total.special += distinct;
  }
  return total;
}

/** Multiply-adds of all outputs of a contraction, at least. */
function contractionWork(node: GraphNode, inputs: readonly TensorSpec[], facts: Facts): number {
  const output = node.outputs[0]!.spec;
  const [a, b] = node.inputs as readonly [number, number];
  const inner = (k: number) => Math.min(k, facts.innerSize(a), facts.innerSize(b));
  switch (node.op) {
    case 'matmul':
    case 'linear': {
      const k = inputs[0]!.shape.at(-1)!;
      const n = output.shape.at(-1)!;
      const m = node.op === 'matmul' ? output.shape.at(-2)! : elementCount(output.shape) / Math.max(1, n);
      const strassen = Math.min(m, n, k) >= STRASSEN_SIDE ? 49 / 64 : 1;
      return elementCount(output.shape) * inner(k) * facts.productDensity(a, b) * strassen;
    }
    case 'einsum': {
      if (node.inputs.length !== 2) return 0;
      const letters = new Map<string, number>();
      (node.attributes.equation as string)
        .split('->')[0]!
        .split(',')
        .forEach((operand, i) => {
          [...operand].forEach((letter, d) => {
            letters.set(letter, Math.max(letters.get(letter) ?? 1, inputs[i]!.shape[d]!));
          });
        });
      const everything = [...letters.values()].reduce((n, size) => n * size, 1);
      const k = everything / Math.max(1, elementCount(output.shape));
      return summedAlone(node) ? 0 : elementCount(output.shape) * inner(k) * facts.productDensity(a, b);
    }
    case 'scaled_dot_product_attention': {
      const [l, e] = inputs[0]!.shape.slice(-2) as [number, number];
      const s = inputs[1]!.shape.at(-2)!;
      if (node.attributes.mask === true) return 0;
      const pairs = node.attributes.is_causal === true ? lowerCount(l, s, 0) : l * s;
      return (
        elementCount(output.shape.slice(0, -2)) *
        pairs *
        (Math.min(e, facts.innerSize(a), facts.innerSize(b)) + output.shape.at(-1)!)
      );
    }
    case 'lstm_backward':
    case 'gru_backward':
    case 'rnn_backward':
      // Which of the gradients are wanted a share does not say.
      return 0;
    case 'lstm':
    case 'gru':
    case 'rnn':
      // With two directions and part of the output wanted, one direction may need a single step.
      return node.attributes.bidirectional === true
        ? 0
        : operatorOf(node.op).operations(
            inputs,
            new Attributes(node.op, node.attributes),
            node.outputs.map((o) => o.spec),
          ).contraction / 2;
    default:
      return facts.density(a) === 1 && facts.density(b) === 1 ? convolutionWork(node, inputs, output) : 0;
  }
}

/** True if an einsum's operand has a letter that neither the other nor the output has, which is summed out before any product. */
function summedAlone(node: GraphNode): boolean {
  const [left, output] = (node.attributes.equation as string).split('->') as [string, string];
  const [a, b] = left.split(',') as [string, string];
  return (
    [...a].some((l) => !b.includes(l) && !output.includes(l)) ||
    [...b].some((l) => !a.includes(l) && !output.includes(l))
  );
}

/** Multiply-adds of a convolution with real (not padding) elements, divided by what fast algorithms save. */
function convolutionWork(node: GraphNode, inputs: readonly TensorSpec[], output: TensorSpec): number {
  const transposed = node.op.startsWith('conv_transpose');
  // A weight's gradient is the same sum with weight and output exchanged, and no cheaper: the fast algorithms transpose.
  const [x, weight, positions] =
    node.op === 'conv_weight_backward' ? [inputs[0]!, output, inputs[1]!] : [inputs[0]!, inputs[1]!, output];
  const list = (name: string) => node.attributes[name] as number[];
  const kernel = weight.shape.slice(2);
  let pairs = 1;
  kernel.forEach((k, d) => {
    const small = transposed ? x.shape[d + 2]! : positions.shape[d + 2]!;
    const large = transposed ? positions.shape[d + 2]! : x.shape[d + 2]!;
    const [stride, padding, dilation] = [list('stride')[d]!, list('padding')[d]!, list('dilation')[d]!];
    let valid = 0;
    for (let i = 0; i < small; i++) {
      for (let t = 0; t < k; t++) {
        const at = i * stride - padding + t * dilation;
        if (at >= 0 && at < large) valid++;
      }
    }
    // Strided convolutions split into unstrided ones over phases, so the savings of a kernel of k taps bound theirs.
    pairs *= valid / (k >= 5 ? k : (6 * k) / (k + 5));
  });
  return x.shape[0]! * weight.shape[0]! * weight.shape[1]! * pairs;
}

/** What can be known of values from the graph alone. */
class Facts {
  readonly specs: Map<number, TensorSpec>;
  readonly #graph: Graph;
  readonly #producer = new Map<number, GraphNode>();
  readonly #users = new Map<number, GraphNode[]>();
  readonly #pinned = new Map<number, boolean>();
  readonly #density = new Map<number, number>();
  readonly #inner = new Map<number, number>();
  readonly #distinct = new Map<number, number>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.specs = valueSpecs(graph);
    for (const node of graph.nodes) {
      for (const output of node.outputs) this.#producer.set(output.id, node);
      for (const id of new Set(node.inputs)) this.#users.set(id, [...(this.#users.get(id) ?? []), node]);
    }
  }

  /** True if each element matters by itself: the value reaches an output or a non-linear operator through element-wise linear steps. */
  pinned(id: number): boolean {
    return remember(this.#pinned, id, () => {
      if (this.#graph.outputs.includes(id)) return true;
      return (this.#users.get(id) ?? []).some((node) => {
        const operator = operatorOf(node.op);
        const onward = () => node.outputs.some((output) => this.pinned(output.id));
        // A square that is summed is a quadratic form of the operands, cheaper than the product itself.
        if (operator.kind === 'layout' || operator.affine || node.op === 'pow' || node.op === 'div') return onward();
        if (operator.kind === 'normalisation') return onward();
        if (['sum', 'mean', 'var', 'std', 'norm', 'cumsum', 'dropout', 'mse_loss'].includes(node.op)) return false;
        if (node.op.startsWith('avg_pool') || node.op === 'adaptive_avg_pool' || node.op === 'interpolate')
          return false;
        return operator.kind !== 'contraction' && operator.kind !== 'recurrent' && operator.kind !== 'indexing';
      });
    });
  }

  /** Inner size of the product that a value is, through element-wise linear steps; Infinity if it is none. Bounds its rank. */
  innerSize(id: number): number {
    return remember(this.#inner, id, () => {
      const node = this.#producer.get(id);
      if (!node) return Infinity;
      const operator = operatorOf(node.op);
      if (operator.kind === 'layout' || operator.affine)
        return Math.min(Infinity, ...node.inputs.map((i) => this.innerSize(i)));
      if (operator.kind !== 'contraction') return Infinity;
      const first = this.specs.get(node.inputs[0]!)!;
      const own = node.op === 'matmul' || node.op === 'linear' ? first.shape.at(-1)! : 1;
      return Math.min(own, ...node.inputs.map((i) => this.innerSize(i)));
    });
  }

  /** Least share of elements that are not known zeros, or 0 where that depends on data. */
  density(id: number): number {
    return remember(this.#density, id, () => {
      const argument = [...this.#graph.inputs, ...this.#graph.parameters].find((one) => one.id === id);
      if (argument) return argument.draw.kind === 'computed' ? 0 : 1;
      const node = this.#producer.get(id);
      if (!node) return 0;
      const below = () => (node.inputs.every((i) => this.density(i) === 1) ? 1 : 0);
      if (node.op === 'tril' || node.op === 'triu') return below() === 1 ? this.#triangle(node) : 0;
      switch (operatorOf(node.op).kind) {
        case 'contraction':
        case 'normalisation':
        case 'recurrent':
          return 1;
        case 'pointwise':
          return node.op === 'where' || node.op === 'masked_fill' ? 0 : below();
        case 'layout':
          // Padding and diagonals hold zeros, and an expanded operand holds equal elements that can be summed first.
          return ['pad', 'diag_embed', 'expand', 'slice_scatter', 'select_scatter', 'unfold', 'cat', 'stack'].includes(
            node.op,
          )
            ? 0
            : below();
        case 'softmax':
        case 'scan':
        case 'reduction':
        case 'window':
          return below();
        default:
          return 0;
      }
    });
  }

  /** Share of a product's multiply-adds that are between elements not known to be zero. */
  productDensity(a: number, b: number): number {
    const [x, y] = [this.density(a), this.density(b)];
    if (x === 1 || y === 1) return x * y;
    // The product of two triangles of one side takes n(n+1)(n+2)/6 of n^3; of two sides a third. The lesser holds for both.
    return x > 0 && y > 0 && this.#isSquare(a) && this.#isSquare(b) ? 1 / 6 : 0;
  }

  /** At least how many different elements a value has; broadcast copies count once. */
  distinct(id: number): number {
    return remember(this.#distinct, id, () => {
      const count = elementCount(this.specs.get(id)!.shape);
      const node = this.#producer.get(id);
      if (!node) return this.#graph.constants.some((c) => c.id === id) ? 0 : count;
      const kind = operatorOf(node.op).kind;
      if (kind === 'pointwise' || node.op === 'expand' || node.op === 'unfold' || node.op === 'pad') {
        return Math.min(count, Math.max(0, ...node.inputs.map((i) => this.distinct(i))));
      }
      return kind === 'indexing' ? 0 : count;
    });
  }

  #isSquare(id: number): boolean {
    const { shape } = this.specs.get(id)!;
    return shape.at(-1) === shape.at(-2);
  }

  #triangle(node: GraphNode): number {
    const [m, n] = this.specs.get(node.inputs[0]!)!.shape.slice(-2) as [number, number];
    const diagonal = node.attributes.diagonal as number;
    const lower = lowerCount(m, n, node.op === 'tril' ? diagonal : diagonal - 1) / Math.max(1, m * n);
    return node.op === 'tril' ? lower : 1 - lower;
  }
}

function remember<V>(map: Map<number, V>, id: number, make: () => V): V {
  const known = map.get(id);
  if (known !== undefined) return known;
  const made = make();
  map.set(id, made);
  return made;
}
