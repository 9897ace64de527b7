/**
 * What comes out of the sandbox is text written beside a stranger's program: it is checked as such. Structure by schema; names of operators, dense ids,
 * order and arity here; shapes and dtypes by the operators' own rules, which also catch a tracer that is wrong.
 */
import * as z from 'zod';
import { Attributes } from '../operators/operator.ts';
import { operatorOf } from '../operators/table.ts';
import type { Graph, TensorSpec } from '../types.ts';

const DTYPES = 'float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool'.split(' ');
const size = z
  .int()
  .min(0)
  .max(2 ** 40);
const jsonNumber = z.union([z.number(), z.enum(['inf', '-inf', 'nan'])]);
export const spec = z.strictObject({ shape: z.array(size).max(16), dtype: z.enum(DTYPES) });
const value = { id: z.int().min(0), spec };
const attribute: z.ZodType = z.union([
  z.number(),
  z.string().max(1000),
  z.boolean(),
  z.null(),
  z.lazy(() => z.array(attribute)),
]);
const name = z.string().min(1).max(500);

export const draw: z.ZodType = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('uniform'), low: z.number(), high: z.number() }),
  z.strictObject({ kind: z.literal('normal'), mean: z.number(), std: z.number() }),
  z.strictObject({ kind: z.literal('integer'), low: z.int(), high: z.int() }),
  z.strictObject({ kind: z.literal('constant'), value: jsonNumber }),
  z.strictObject({ kind: z.literal('values'), values: z.array(jsonNumber) }),
  z.strictObject({ kind: z.literal('range'), start: z.number(), step: z.number() }),
  z.strictObject({ kind: z.literal('permutation') }),
  z.strictObject({ kind: z.literal('computed'), graph: z.lazy(() => graphSchema) }),
]);

/** Parts of a node as they are told. */
export const node = {
  op: z.string().max(100),
  inputs: z.array(z.int().min(0)),
  attributes: z.record(z.string(), attribute),
};

const graphSchema = z.strictObject({
  inputs: z.array(z.strictObject({ ...value, name, draw })),
  parameters: z.array(z.strictObject({ ...value, name, kind: z.enum(['parameter', 'buffer']), draw })),
  constants: z.array(z.strictObject({ ...value, draw })),
  nodes: z.array(
    z.strictObject({
      ...node,
      outputs: z.array(z.strictObject(value)).min(1).max(3),
      line: z.int().min(0),
    }),
  ),
  outputs: z.array(z.int().min(0)).min(1),
});

/** What the tracer answers. */
export const answerSchema = z.union([
  z.strictObject({
    graph: graphSchema,
    scalars: z.array(
      z.strictObject({
        name,
        value: z.union([z.number(), z.boolean(), z.string(), z.null(), z.array(z.union([z.number(), z.string()]))]),
      }),
    ),
    constants: z.array(z.strictObject({ name, value: z.int(), line: z.int() })),
    functional: z.boolean(),
    /** What stops or replaces gradients in forward, and its line. */
    stops: z.tuple([z.string().max(300), z.int().min(0)]).nullable(),
  }),
  z.strictObject({
    error: z.strictObject({
      kind: z.enum(['syntax', 'unsupported', 'memory', 'invalid']),
      message: z.string().max(20_000),
      line: z.int().min(0),
      column: z.int().optional(),
      text: z.string().max(20_000).optional(),
    }),
  }),
]);

const specText = (s: TensorSpec) => `${s.dtype}[${s.shape.join(', ')}]`;

/** Throws a sentence if the graph is not one that operators.md allows. `graph` has passed the schema. */
export function checkGraph(graph: Graph): void {
  const specs: TensorSpec[] = [];
  const define = (v: { id: number; spec: TensorSpec }) => {
    if (v.id !== specs.length) throw new Error(`value ${v.id} is out of order; ${specs.length} is next`);
    specs.push(v.spec);
  };
  const used = (id: number) => {
    const found = specs[id];
    if (!found) throw new Error(`value ${id} is used before it is made`);
    return found;
  };
  for (const leaf of [...graph.inputs, ...graph.parameters, ...graph.constants]) {
    define(leaf);
    if (leaf.draw.kind === 'computed') {
      const inner = leaf.draw.graph;
      checkGraph(inner);
      if (inner.inputs.length || inner.parameters.length || inner.outputs.length !== 1)
        throw new Error(`the draw of value ${leaf.id} is not closed`);
    }
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(used);
    const inferred = operatorOf(node.op).infer(inputs, new Attributes(node.op, node.attributes));
    const told = node.outputs.map((o) => specText(o.spec)).join(' ');
    const ruled = inferred.map(specText).join(' ');
    if (told !== ruled) throw new Error(`line ${node.line}: ${node.op} gives ${ruled}, not ${told}`);
    node.outputs.forEach(define);
  }
  graph.outputs.forEach(used);
}
