/**
 * Wrong variants of a task. A judge is only as good as the mistakes it can see: each variant here must fail the comparison that candidates are put
 * to, on some family of inputs, or the task is degenerate there. Three kinds: answers that need no kernel (zeros, a mean, an input
 * returned, the first sample repeated), operators left out or weakened, and arguments ignored.
 */
import { AS_WRITTEN, drawArguments } from '../inputs/draw.ts';
import type { ArithmeticChoice } from '../operators/arithmetic.ts';
import { checkGraph, isRandomDraw } from '../operators/evaluate.ts';
import { GraphEdit, valueSpecs } from '../operators/rewrite.ts';
import { operatorOf } from '../operators/table.ts';
import { elementCount, isFloating, sameSpec } from '../operators/tensor.ts';
import type { Graph, GraphNode, HostTensor, PrecisionPolicy, TensorSpec } from '../types.ts';
import { mistakesOf } from './mistakes.ts';

/**
 * `answer`: needs no kernel. `dropped`: an operator left out. `mistaken`: a near operator, a scalar off, a mode confused. `subsampled`: a part of a
 * reduction left out. `ignored`: an argument taken for zeros or ones. `precision`: all of it in a lower precision than the task's policy.
 */
export type MutantKind = 'answer' | 'dropped' | 'mistaken' | 'subsampled' | 'ignored' | 'precision';

export interface Mutant {
  /** Stable within a graph: the kind and what it changes. */
  id: string;
  kind: MutantKind;
  /** What was changed, for people: `` `relu` on line 9 left out``. */
  description: string;
  /** The operator that the mutant changes; for an ignored argument or a whole answer, the one that makes the output. */
  operator: string;
  /** The same signature, another answer. */
  graph: Graph;
  /** The value of the task's graph that is changed first, and what stands for it in the mutant's. */
  at?: { was: number; is: number };
  /** Arithmetic other than float64 that the mutant computes in. */
  arithmetic?: ArithmeticChoice;
  /** Values it takes for the inputs, whatever it is given: a kept answer. In the order of the graph's inputs. */
  frozen?: readonly HostTensor[];
}

/** All mutants of a graph that differ from it in structure, the cheapest answers first. `policy`: what arithmetic the task allows. */
export function mutants(graph: Graph, policy: PrecisionPolicy = 'fp32'): Mutant[] {
  const all = [
    ...answers(graph),
    ...graph.nodes.flatMap((node, i) => operatorMutants(graph, node, i)),
    ...ignored(graph),
    ...loweredPrecision(graph, policy),
  ];
  // Constants are part of what a mutant computes; a mutant that two rules make, or that changes nothing, is no evidence twice.
  const structure = ({ graph: { nodes, outputs, constants }, arithmetic, frozen }: Mutant) =>
    JSON.stringify([nodes, outputs, constants, arithmetic, frozen !== undefined]);
  const seen = new Set<string>([structure({ graph } as Mutant)]);
  return all.filter((mutant) => {
    const own = structure(mutant);
    if (seen.has(own)) return false;
    seen.add(own);
    checkGraph(mutant.graph);
    return true;
  });
}

/** Formats below each policy's own. */
const lower: Readonly<Record<PrecisionPolicy, readonly ('tf32' | 'float16' | 'bfloat16')[]>> = {
  fp32: ['tf32', 'float16', 'bfloat16'],
  tf32: ['float16', 'bfloat16'],
  fp16: ['bfloat16'],
  bf16: [],
};

/** The task computed in a lower precision than its policy allows: contractions with rounded operands, and all results rounded between operators. */
function loweredPrecision(graph: Graph, policy: PrecisionPolicy): Mutant[] {
  const contracts = graph.nodes.some(({ op }) => operatorOf(op).kind === 'contraction');
  const single = [...valueSpecs(graph).values()].some(({ dtype }) => dtype === 'float32');
  if (!single) return [];
  return lower[policy].flatMap((format): Mutant[] => {
    if (format === 'tf32' && !contracts) return [];
    const words = { tf32: 'tf32 contractions', float16: 'fp16 throughout', bfloat16: 'bf16 throughout' }[format];
    return [
      {
        id: `precision-${format}`,
        kind: 'precision',
        description: `computed with ${words}`,
        operator: makerOf(graph, graph.outputs[0]!),
        graph,
        arithmetic: { format, intermediates: format === 'tf32' ? 'float32' : 'format' },
      },
    ];
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
    result.push({ id, kind: 'answer', description, operator, graph: edit.done() });
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
  // A kept answer, as of a kernel that was run once: right for one draw of the file's own inputs and for no other.
  if (graph.inputs.some(({ draw }) => isRandomDraw(draw))) {
    const frozen = drawArguments({ graph }, AS_WRITTEN, 1).slice(0, graph.inputs.length);
    result.push({
      id: 'kept',
      kind: 'answer',
      description: 'the answer to other inputs returned',
      operator,
      graph,
      frozen,
    });
  }
  return result;
}

/** The operator left out, mistaken, or fed only part of what it reduces. */
function operatorMutants(graph: Graph, node: GraphNode, index: number): Mutant[] {
  const specs = valueSpecs(graph);
  const result: Mutant[] = [];
  const name = `\`${node.op}\` on line ${node.line}`;
  const output = node.outputs[0]!;
  /** `change` gives the value that stands for the operator's result, where that is another than before; undefined where it does not apply. */
  const add = (kind: MutantKind, id: string, says: string, change: (edit: GraphEdit) => number | undefined) => {
    const edit = new GraphEdit(graph);
    let is: number | undefined;
    try {
      is = change(edit);
      const made = edit.done();
      checkGraph(made);
      result.push({
        id: `${id}-${index}`,
        kind,
        description: `${name} ${says}`,
        operator: node.op,
        graph: made,
        at: { was: output.id, is: is ?? output.id },
      });
    } catch {
      // The mistake does not fit these shapes; no candidate could make it.
    }
  };
  node.inputs.forEach((id, i) => {
    // A selection by a condition or an index has no operand it could be left out for.
    if (!sameSpec(specs.get(id)!, output.spec)) return;
    add(
      'dropped',
      i === 0 ? 'dropped' : `dropped-for-${i}`,
      node.inputs.length === 1 ? 'left out' : `left out (its operand ${i + 1} passed on)`,
      (edit) => {
        edit.replace(output.id, id);
        return id;
      },
    );
  });
  const operands = node.inputs.map((id) => specs.get(id)!);
  mistakesOf(node, operands).forEach((mistake, m) => {
    if (mistake.op === 'mean' && !isFloating(output.spec.dtype)) return;
    add('mistaken', `mistaken-${m}`, mistake.says, (edit) => {
      edit.change(index, {
        op: mistake.op ?? node.op,
        attributes: mistake.all ?? { ...node.attributes, ...mistake.attributes },
        inputs: mistake.operands?.map((i) => node.inputs[i]!) ?? node.inputs,
      });
      return undefined;
    });
  });
  const reduced = reducedDimensions(node, specs);
  if (reduced) {
    const size = specs.get(node.inputs[0]!)!.shape[reduced[0]!]!;
    const parts: [string, string, number][] = [
      ['half', 'over the first half only', Math.ceil(size / 2)],
      ['tail', 'without the last of what it reduces', size - 1],
    ];
    for (const [id, says, end] of parts) {
      if (end < 1 || end === size) continue;
      add('subsampled', id, says, (edit) => {
        const inputs = node.inputs.map((operand, i) => {
          const dim = reduced[i];
          if (dim === undefined) return operand;
          return edit.node('slice', [operand], { dim, start: 0, end, step: 1 }, index);
        });
        edit.change(index, { inputs });
        return undefined;
      });
    }
  }
  for (const { id, says, operand, dim, end } of [...weightParts(node, specs), ...scanParts(node, specs)]) {
    add('subsampled', id, says, (edit) => {
      const whole = node.inputs[operand]!;
      const { shape } = specs.get(whole)!;
      const kept = edit.node('slice', [whole], { dim, start: 0, end, step: 1 }, index);
      const after = shape.map((size, d) => (d === dim ? size - end : 0));
      const cut = edit.node('pad', [kept], { before: shape.map(() => 0), after, mode: 'constant', value: 0 }, index);
      edit.change(index, { inputs: node.inputs.map((one, i) => (i === operand ? cut : one)) });
      return undefined;
    });
  }
  return result;
}

/** An operand taken for zeros from `end` on, along `dim`. */
interface Cut {
  id: string;
  says: string;
  operand: number;
  dim: number;
  end: number;
}

/** A scan that ends early, as one may where its values vanish: products of numbers below 1 do, soon. */
function scanParts({ op, inputs, attributes }: GraphNode, specs: Map<number, TensorSpec>): Cut[] {
  if (op !== 'cumsum' && op !== 'cumprod') return [];
  const dim = attributes.dim as number;
  const size = specs.get(inputs[0]!)!.shape[dim] ?? 1;
  return size > 1 ? [{ id: 'stopped', says: 'stopped half-way', operand: 0, dim, end: Math.ceil(size / 2) }] : [];
}

/** Parts of a convolution's weight that a kernel may leave out: half of the input channels, the last tap of each kernel dimension. */
function weightParts({ op, inputs, attributes }: GraphNode, specs: Map<number, TensorSpec>): Cut[] {
  if (!op.startsWith('conv')) return [];
  const { shape } = specs.get(inputs[1]!)!;
  const channels = op.startsWith('conv_transpose') ? 0 : 1;
  const list: Cut[] = [];
  if (shape[channels]! > 1 && (channels === 1 || attributes.groups === 1))
    list.push({
      id: 'half',
      says: 'over the first half of the input channels only',
      operand: 1,
      dim: channels,
      end: Math.ceil(shape[channels]! / 2),
    });
  const last = shape.length - 1;
  if (shape[last]! > 1)
    list.push({ id: 'tap', says: 'without the last tap of its kernel', operand: 1, dim: last, end: shape[last]! - 1 });
  return list;
}

/** For each operand, the reduced dimension of which a part can be left out without changing the output's shape; undefined if there is none. */
function reducedDimensions(node: GraphNode, specs: Map<number, TensorSpec>): (number | undefined)[] | undefined {
  const shape = specs.get(node.inputs[0]!)!.shape;
  const { dims, dim } = node.attributes;
  const longer = (d: number | undefined) => d !== undefined && shape[d]! > 1;
  switch (node.op) {
    case 'matmul':
      return longer(shape.length - 1) ? [shape.length - 1, specs.get(node.inputs[1]!)!.shape.length - 2] : undefined;
    case 'linear':
      return longer(shape.length - 1) ? [shape.length - 1, 1] : undefined;
    case 'mse_loss':
    case 'l1_loss':
    case 'smooth_l1_loss':
    case 'huber_loss':
    case 'kl_div':
    case 'cross_entropy':
    case 'nll_loss':
    case 'binary_cross_entropy':
    case 'binary_cross_entropy_with_logits':
      return node.attributes.reduction !== 'none' && shape.length > 0 && longer(0) ? [0, 0] : undefined;
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
            kind: 'ignored',
            description: `\`${argument.name}\` taken for ${says}`,
            operator,
            graph: edit.done(),
          },
        ];
      }),
    );
}
