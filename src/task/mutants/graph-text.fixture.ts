/** For tests: a graph from a few lines, one operator each: `h = linear x w b {"bias":true} [3,8]`. */
import type { Draw, DType, Graph, GraphNode } from '../types.ts';

const unit: Draw = { kind: 'uniform', low: 0, high: 1 };

/**
 * Inputs and parameters as `name [shape]`; then the nodes, each on the line of its number; the last one is the output. Floating point, but for
 * what a line says after its shape.
 */
export function graphOf(
  inputs: Readonly<Record<string, readonly number[]>>,
  parameters: Readonly<Record<string, { shape: readonly number[]; draw?: Draw }>>,
  text: string,
  draw: Draw = unit,
): Graph {
  const ids = new Map<string, number>();
  const next = (name: string) => {
    ids.set(name, ids.size);
    return ids.size - 1;
  };
  const specOf = (shape: readonly number[], dtype: DType = 'float32') => ({ shape, dtype });
  const graphInputs = Object.entries(inputs).map(([name, shape]) => ({
    id: next(name),
    name,
    draw,
    spec: specOf(shape),
  }));
  const graphParameters = Object.entries(parameters).map(([name, { shape, draw: own }]) => ({
    id: next(name),
    name,
    kind: 'parameter' as const,
    draw: own ?? { kind: 'normal' as const, mean: 0, std: 1 },
    spec: specOf(shape),
  }));
  const nodes = text
    .trim()
    .split('\n')
    .map((line, i): GraphNode => {
      const [, name, op, operands, attributes, shape, dtype] =
        /^\s*(\w+) = (\w+)((?: \w+)*) (\{.*\}) (\[[\d,]*\])(?: (\w+))?$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`This is no line of a graph: ${line}`);
      const used = operands!
        .trim()
        .split(' ')
        .map((operand) => ids.get(operand)!);
      return {
        op: op!,
        inputs: used,
        attributes: JSON.parse(attributes!) as GraphNode['attributes'],
        outputs: [{ id: next(name), spec: specOf(JSON.parse(shape!) as number[], (dtype ?? 'float32') as DType) }],
        line: i + 1,
      };
    });
  return {
    inputs: graphInputs,
    parameters: graphParameters,
    constants: [],
    nodes,
    outputs: [nodes.at(-1)!.outputs[0]!.id],
  };
}
