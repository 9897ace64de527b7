/**
 * Evaluating a graph: the float64 reference, or what an honest kernel of some precision would give.
 * Every node's shape rule is run again and must agree with the graph, because the graph comes from a traced file that may be hostile.
 */
import type { Draw, Graph, GraphNode, HostTensor, TensorSpec } from '../types.ts';
import type { ArithmeticChoice } from './arithmetic.ts';
import { arithmeticFor, float64 } from './arithmetic.ts';
import { Attributes } from './operator.ts';
import { operatorOf } from './table.ts';
import { elementCount, isFloating, roundArray, rounderOf, sameSpec, specText } from './tensor.ts';

/** Tensors of more elements are refused: 2 GiB of float64, and offsets stay 32-bit. */
export const MAX_ELEMENTS = 2 ** 28;

/**
 * What happens to floating outputs: `rounded` to their element type, as a candidate would return them; or `exact`, as the arithmetic gave them,
 * with a spec that says float64, for measuring errors smaller than a unit of the output's type.
 */
export type OutputValues = 'rounded' | 'exact';

/**
 * Checks every node of a graph against the operators' rules: names, operands' ids, attributes, shapes, element types, sizes.
 * Throws a sentence naming the operator and the task file's line.
 */
export function checkGraph(graph: Graph): void {
  const specs = new Map<number, TensorSpec>();
  const define = (id: number, spec: TensorSpec, what: string) => {
    if (specs.has(id)) throw new Error(`The graph defines value ${id} twice.`);
    if (!spec.shape.every((size) => Number.isSafeInteger(size) && size >= 0))
      throw new Error(`${what} has the impossible shape [${spec.shape.join(', ')}].`);
    if (elementCount(spec.shape) > MAX_ELEMENTS) {
      throw new Error(`${what}, ${specText(spec)}, has more than 2^28 elements. Choose smaller shapes with --scale.`);
    }
    specs.set(id, spec);
  };
  for (const value of graph.inputs) define(value.id, value.spec, `The input ${value.name}`);
  for (const value of graph.parameters) define(value.id, value.spec, `The parameter ${value.name}`);
  for (const value of graph.constants) define(value.id, value.spec, 'A constant');
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((id) => {
      const spec = specs.get(id);
      if (!spec) throw new Error(`Line ${node.line}: ${node.op} reads value ${id}, which is not defined before it.`);
      return spec;
    });
    const inferred = inferNode(node, inputs);
    if (
      inferred.length !== node.outputs.length ||
      !inferred.every((spec, i) => sameSpec(spec, node.outputs[i]!.spec))
    ) {
      throw new Error(
        `Line ${node.line}: ${node.op} gives ${inferred.map(specText).join(', ')}, and the graph says ${node.outputs.map((o) => specText(o.spec)).join(', ')}.`,
      );
    }
    for (const output of node.outputs) define(output.id, output.spec, `Line ${node.line}: the result of ${node.op}`);
  }
  for (const id of graph.outputs)
    if (!specs.has(id)) throw new Error(`The graph returns value ${id}, which is not defined.`);
}

/** The output specs of a node by its operator's rule. Throws with the node's line. */
export function inferNode(node: GraphNode, inputs: readonly TensorSpec[]): TensorSpec[] {
  return atLine(node, () => operatorOf(node.op).infer(inputs, new Attributes(node.op, node.attributes)));
}

function atLine<T>(node: GraphNode, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`Line ${node.line}: ${node.op}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/**
 * Values of the graph's outputs, in order. `values` are the inputs, then the parameters and buffers, in the graph's order, and must have the
 * graph's specs. Constants are made from their draws; one that was drawn at random inside the model is refused. Frees what is no longer needed.
 */
export function evaluateGraph(
  graph: Graph,
  values: readonly HostTensor[],
  choice: ArithmeticChoice = float64,
  outputs: OutputValues = 'rounded',
): HostTensor[] {
  const known = new Map<number, HostTensor>();
  const arguments_ = [...graph.inputs, ...graph.parameters];
  if (values.length !== arguments_.length)
    throw new Error(`The graph takes ${arguments_.length} tensors, not ${values.length}.`);
  arguments_.forEach((argument, i) => {
    const value = values[i]!;
    if (!sameSpec(value.spec, argument.spec)) {
      throw new Error(`${argument.name} must be ${specText(argument.spec)}, not ${specText(value.spec)}.`);
    }
    known.set(argument.id, choice.flushes ? { ...value, values: flushed(value.values, value.spec) } : value);
  });
  for (const constant of graph.constants) known.set(constant.id, fixedTensor(constant.spec, constant.draw));

  const lastUse = new Map<number, number>();
  graph.nodes.forEach((node, i) => {
    for (const id of node.inputs) lastUse.set(id, i);
  });
  for (const id of graph.outputs) lastUse.set(id, graph.nodes.length);

  graph.nodes.forEach((node, i) => {
    const results = evaluateNode(
      node,
      node.inputs.map((id) => known.get(id)!),
      choice,
    );
    node.outputs.forEach((output, o) => {
      if (lastUse.has(output.id)) known.set(output.id, results[o]!);
    });
    for (const id of node.inputs) if (lastUse.get(id) === i) known.delete(id);
  });
  return graph.outputs.map((id) => finishOutput(known.get(id)!, outputs));
}

function finishOutput(tensor: HostTensor, how: OutputValues): HostTensor {
  const { shape, dtype } = tensor.spec;
  if (how === 'exact' && isFloating(dtype)) return { spec: { shape, dtype: 'float64' }, values: tensor.values };
  return { spec: tensor.spec, values: roundArray(tensor.values.slice(), dtype) };
}

/** Evaluates one node. Floating results stay as the arithmetic leaves them; integers wrap to their type. */
export function evaluateNode(node: GraphNode, inputs: readonly HostTensor[], choice: ArithmeticChoice): HostTensor[] {
  const operator = operatorOf(node.op);
  const attributes = new Attributes(node.op, node.attributes);
  const specs = inferNode(
    node,
    inputs.map((t) => t.spec),
  );
  specs.forEach((spec) => {
    if (elementCount(spec.shape) > MAX_ELEMENTS)
      throw new Error(`Line ${node.line}: ${node.op} makes ${specText(spec)}, more than 2^28 elements.`);
  });
  // The operands decide the precision where they float: a comparison or argmax of doubles is done in double.
  const dtype = inputs.find((t) => isFloating(t.spec.dtype))?.spec.dtype ?? specs[0]!.dtype;
  return atLine(node, () => {
    const results = operator.evaluate(inputs, attributes, arithmeticFor(choice, dtype), specs);
    return results.map((result, o) => {
      const values = store(result, specs[o]!, inputs, choice, node.op);
      return { spec: specs[o]!, values: choice.flushes ? flushed(values, specs[o]!) : values };
    });
  });
}

/** The values with those below the least normal float32 taken for zero, in an array of their own where there are any. Doubles and integers stay. */
function flushed(values: Float64Array, { dtype }: TensorSpec): Float64Array {
  if (!isFloating(dtype) || dtype === 'float64') return values;
  const isSmall = (x: number) => x !== 0 && x < 2 ** -126 && x > -(2 ** -126);
  const first = values.findIndex(isSmall);
  if (first < 0) return values;
  const result = values.slice();
  for (let i = first; i < result.length; i++) if (isSmall(result[i]!)) result[i] = 0;
  return result;
}

/** What a node's result is rounded to when it is written. A result that is an operand's own array is copied before it is changed. */
function store(
  result: Float64Array,
  spec: TensorSpec,
  inputs: readonly HostTensor[],
  choice: ArithmeticChoice,
  op: string,
): Float64Array {
  const { dtype } = spec;
  const own = () => (inputs.some((t) => t.values === result) ? result.slice() : result);
  if (!isFloating(dtype)) return op === 'cast' || dtype === 'bool' ? result : roundArray(own(), dtype);
  if (choice.format === 'float64' || dtype === 'float64') return result;
  switch (choice.intermediates ?? 'float32') {
    case 'float32':
      return result;
    case 'dtype':
      return dtype === 'float32' ? result : roundArray(own(), dtype);
    case 'format': {
      if (choice.format !== 'float16' && choice.format !== 'bfloat16')
        return dtype === 'float32' ? result : roundArray(own(), dtype);
      return roundArray(own(), choice.format);
    }
  }
}

/** The value of a draw that leaves nothing to chance. Throws for one that does. */
export function fixedTensor(spec: TensorSpec, draw: Draw): HostTensor {
  const count = elementCount(spec.shape);
  const round = rounderOf(spec.dtype);
  switch (draw.kind) {
    case 'constant':
      return { spec, values: new Float64Array(count).fill(round(Number(spelled(draw.value)))) };
    case 'values':
      if (draw.values.length !== count)
        throw new Error(`A constant of ${specText(spec)} comes with ${draw.values.length} values.`);
      return { spec, values: Float64Array.from(draw.values, (x) => round(spelled(x))) };
    case 'range':
      return { spec, values: Float64Array.from({ length: count }, (_, i) => round(draw.start + draw.step * i)) };
    case 'computed': {
      checkGraph(draw.graph);
      const [value] = evaluateGraph(draw.graph, []);
      if (!value || !sameSpec(value.spec, spec))
        throw new Error(
          `A computed constant gives ${value ? specText(value.spec) : 'nothing'}, not ${specText(spec)}.`,
        );
      return value;
    }
    default:
      throw new Error(
        `A tensor of ${specText(spec)} is drawn at random inside the model (${draw.kind}), so the task has no single answer. Pass it as an input, a parameter or a buffer instead.`,
      );
  }
}

/** True if a draw leaves something to chance. */
export function isRandomDraw(draw: Draw): boolean {
  if (draw.kind === 'computed') return draw.graph.constants.some((c) => isRandomDraw(c.draw));
  return draw.kind === 'uniform' || draw.kind === 'normal' || draw.kind === 'integer' || draw.kind === 'permutation';
}

/** A number from its JSON spelling. */
export function spelled(value: number | 'inf' | '-inf' | 'nan'): number {
  if (typeof value === 'number') return value;
  return value === 'inf' ? Infinity : value === '-inf' ? -Infinity : Number.NaN;
}
