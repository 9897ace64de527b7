/**
 * Wrong variants of a task. A judge is only as good as the mistakes it can see: each variant here must fail the comparison that candidates are put
 * to, on some family of inputs, or the task is degenerate there. Three kinds: answers that need no kernel (zeros, a mean, an input
 * returned, the first sample repeated), operators left out or weakened, and arguments ignored.
 */
import type { Graph, GraphNode, TensorSpec } from '../types.ts';
import { checkGraph } from './evaluate.ts';
import { GraphEdit, valueSpecs } from './rewrite.ts';
import { elementCount, isFloating, sameSpec } from './tensor.ts';

export interface Mutant {
  /** Stable within a graph: the kind and what it changes. */
  id: string;
  /** What was changed, for people: `` `relu` on line 9 left out``. */
  description: string;
  /** The operator that the mutant changes; for an ignored argument or a whole answer, the one that makes the output. */
  operator: string;
  /** The same signature, another answer. */
  graph: Graph;
}

/** All mutants of a graph that differ from it in structure. */
export function mutants(graph: Graph): Mutant[] {
  const all = [
    ...answers(graph),
    ...graph.nodes.flatMap((node, i) => operatorMutants(graph, node, i)),
    ...ignored(graph),
  ];
  // Constants are part of what a mutant computes; a mutant that two rules make, or that changes nothing, is no evidence twice.
  const structure = ({ nodes, outputs, constants }: Graph) => JSON.stringify([nodes, outputs, constants]);
  const seen = new Set<string>([structure(graph)]);
  return all.filter((mutant) => {
    const own = structure(mutant.graph);
    if (seen.has(own)) return false;
    seen.add(own);
    checkGraph(mutant.graph);
    return true;
  });
}

/** The operator that makes an output. */
function makerOf(graph: Graph, output: number): string {
  return graph.nodes.find((node) => node.outputs.some((o) => o.id === output))?.op ?? 'input';
}

/** Answers that need no kernel. */
function answers(graph: Graph): Mutant[] {
  const operator = makerOf(graph, graph.outputs[0]!);
  const result: Mutant[] = [];
  /** Every output replaced by what `make` gives for it; no mutant if it gives nothing for any. */
  const whole = (
    id: string,
    description: string,
    make: (edit: GraphEdit, output: number, spec: TensorSpec) => number | undefined,
  ) => {
    const edit = new GraphEdit(graph);
    let changed = false;
    const outputs = graph.outputs.map((output) => {
      const made = make(edit, output, edit.specOf(output));
      if (made !== undefined) changed = true;
      return made ?? output;
    });
    if (!changed) return;
    edit.setOutputs(outputs);
    result.push({ id, description, operator, graph: edit.done() });
  };
  whole('zeros', 'zeros returned', (edit, _output, spec) => edit.constant(spec, { kind: 'constant', value: 0 }));
  whole('mean', 'the mean of the right answer returned everywhere', (edit, output, spec) => {
    if (!isFloating(spec.dtype) || elementCount(spec.shape) < 2) return undefined;
    const dims = spec.shape.map((_, d) => d);
    return edit.node('expand', [edit.node('mean', [output], { dims, keepdim: true })], { shape: spec.shape });
  });
  whole('first-sample', 'the answer for the first sample repeated for all', (edit, output, spec) => {
    if (spec.shape.length === 0 || spec.shape[0]! < 2) return undefined;
    return edit.node('expand', [edit.node('slice', [output], { dim: 0, start: 0, end: 1, step: 1 })], {
      shape: spec.shape,
    });
  });
  whole('sample-mean', 'the mean over all samples returned for each', (edit, output, spec) => {
    if (!isFloating(spec.dtype) || spec.shape.length < 2 || spec.shape[0]! < 2) return undefined;
    return edit.node('expand', [edit.node('mean', [output], { dims: [0], keepdim: true })], { shape: spec.shape });
  });
  for (const argument of [...graph.inputs, ...graph.parameters]) {
    whole(`returns-${argument.name}`, `\`${argument.name}\` returned unchanged`, (_edit, output, spec) =>
      sameSpec(argument.spec, spec) && output !== argument.id ? argument.id : undefined,
    );
  }
  return result;
}

/** Attributes that change an operator into a plausible mistake. */
interface Mistake {
  says: string;
  op?: string;
  attributes?: Record<string, GraphNode['attributes'][string]>;
}

const extremes: Readonly<Record<string, string>> = {
  max: 'min',
  min: 'max',
  argmax: 'argmin',
  argmin: 'argmax',
  maximum: 'minimum',
  minimum: 'maximum',
  cummax: 'cummin',
  cummin: 'cummax',
};

/** Mistakes that fit a node's attributes: an epsilon left out, an approximation taken, a bound or a scale forgotten. */
function mistakes({ op, attributes: a }: GraphNode): Mistake[] {
  const list: Mistake[] = [];
  const number = (name: string) => (typeof a[name] === 'number' ? (a[name] as number) : undefined);
  if (extremes[op]) list.push({ says: `replaced by \`${extremes[op]}\``, op: extremes[op] });
  if (op === 'gelu') {
    const other = a.approximate === 'tanh' ? 'none' : 'tanh';
    list.push({
      says: `computed in its ${other === 'tanh' ? 'tanh' : 'erf'} form`,
      attributes: { approximate: other },
    });
  }
  if (op === 'var' || op === 'std')
    list.push({ says: 'divided by another count', attributes: { correction: number('correction') === 0 ? 1 : 0 } });
  if (op === 'softmax') list.push({ says: 'replaced by its logarithm', op: 'log_softmax' });
  if (op === 'sum') list.push({ says: 'replaced by the mean', op: 'mean' });
  if (op === 'mean') list.push({ says: 'replaced by the sum', op: 'sum' });
  if (op === 'tril' || op === 'triu') {
    const diagonal = number('diagonal') ?? 0;
    list.push({
      says: 'with the diagonal on the wrong side',
      attributes: { diagonal: op === 'tril' ? diagonal - 1 : diagonal + 1 },
    });
  }
  if (op === 'clamp') {
    if (a.min !== null && a.max !== null) {
      list.push(
        { says: 'without its lower bound', attributes: { min: null } },
        { says: 'without its upper bound', attributes: { max: null } },
      );
    }
  }
  if (op === 'leaky_relu') list.push({ says: 'with slope 0', attributes: { negative_slope: 0 } });
  if (op === 'scaled_dot_product_attention') {
    list.push({
      says: a.is_causal ? 'without its causal mask' : 'with a causal mask',
      attributes: { is_causal: !a.is_causal },
    });
    list.push({ says: 'with its scale doubled', attributes: { scale: 2 * (number('scale') ?? 1) } });
  }
  if ((number('eps') ?? 0) > 0) list.push({ says: 'without its epsilon', attributes: { eps: 0 } });
  if ((number('label_smoothing') ?? 0) > 0)
    list.push({ says: 'without label smoothing', attributes: { label_smoothing: 0 } });
  if (a.reduction === 'mean') list.push({ says: 'summed instead of averaged', attributes: { reduction: 'sum' } });
  if (a.reduction === 'sum') list.push({ says: 'averaged instead of summed', attributes: { reduction: 'mean' } });
  if (a.count_include_pad === true)
    list.push({ says: 'without its padding in the count', attributes: { count_include_pad: false } });
  return list;
}

/** The operator left out, mistaken, or fed only part of what it reduces. */
function operatorMutants(graph: Graph, node: GraphNode, index: number): Mutant[] {
  const specs = valueSpecs(graph);
  const result: Mutant[] = [];
  const name = `\`${node.op}\` on line ${node.line}`;
  const add = (kind: string, says: string, change: (edit: GraphEdit) => void) => {
    const edit = new GraphEdit(graph);
    change(edit);
    result.push({ id: `${kind}-${index}`, description: `${name} ${says}`, operator: node.op, graph: edit.done() });
  };
  const output = node.outputs[0]!;
  node.inputs.forEach((id, i) => {
    // A selection by a condition or an index has no operand it could be left out for.
    if (!sameSpec(specs.get(id)!, output.spec)) return;
    add(
      i === 0 ? 'dropped' : `dropped-for-${i}`,
      node.inputs.length === 1 ? 'left out' : `left out (its operand ${i + 1} passed on)`,
      (edit) => edit.replace(output.id, id),
    );
  });
  mistakes(node).forEach((mistake, m) => {
    if (mistake.op === 'mean' && !isFloating(output.spec.dtype)) return;
    add(`mistaken-${m}`, mistake.says, (edit) =>
      edit.change(index, { op: mistake.op ?? node.op, attributes: { ...node.attributes, ...mistake.attributes } }),
    );
  });
  const half = halfReduction(node, specs);
  if (half) {
    add('half', 'over the first half only', (edit) => {
      const inputs = node.inputs.map((id, i) => {
        const dim = half[i];
        if (dim === undefined) return id;
        const size = edit.specOf(id).shape[dim]!;
        return edit.node('slice', [id], { dim, start: 0, end: Math.ceil(size / 2), step: 1 }, index);
      });
      edit.change(index, { inputs });
    });
  }
  return result;
}

/** For each operand, the reduced dimension that can be halved without changing the output's shape; undefined if there is none. */
function halfReduction(node: GraphNode, specs: Map<number, TensorSpec>): (number | undefined)[] | undefined {
  const shape = specs.get(node.inputs[0]!)!.shape;
  const { dims, dim } = node.attributes;
  const longer = (d: number | undefined) => d !== undefined && shape[d]! > 1;
  switch (node.op) {
    case 'matmul':
      return longer(shape.length - 1) ? [shape.length - 1, specs.get(node.inputs[1]!)!.shape.length - 2] : undefined;
    case 'linear':
      return longer(shape.length - 1) ? [shape.length - 1, 1] : undefined;
    case 'argmax':
    case 'argmin':
      return typeof dim === 'number' && longer(dim) ? [dim] : undefined;
    default: {
      if (
        !Array.isArray(dims) ||
        !['sum', 'mean', 'prod', 'max', 'min', 'logsumexp', 'var', 'std', 'norm', 'any', 'all'].includes(node.op)
      ) {
        return undefined;
      }
      const longest = (dims as number[]).toSorted((x, y) => shape[y]! - shape[x]!)[0];
      return longer(longest) ? [longest] : undefined;
    }
  }
}

/** Arguments taken for zeros, or for ones. */
function ignored(graph: Graph): Mutant[] {
  const used = new Set([...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs]);
  return [...graph.inputs, ...graph.parameters]
    .filter((argument) => used.has(argument.id))
    .flatMap((argument) =>
      [0, 1].flatMap((value): Mutant[] => {
        // Ones in the place of an index may be out of range; zeros never are.
        if (value === 1 && !isFloating(argument.spec.dtype)) return [];
        const edit = new GraphEdit(graph);
        edit.replace(argument.id, edit.constant(argument.spec, { kind: 'constant', value }));
        const user = graph.nodes.find((node) => node.inputs.includes(argument.id));
        const says = value === 0 ? 'zeros' : 'ones';
        const operator = user?.op ?? makerOf(graph, graph.outputs[0]!);
        return [
          {
            id: `${says}-for-${argument.name}`,
            description: `\`${argument.name}\` taken for ${says}`,
            operator,
            graph: edit.done(),
          },
        ];
      }),
    );
}
