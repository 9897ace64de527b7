/**
 * What a gradient is: a vector-Jacobian product written in the operators of the table itself. Given the gradients of a node's outputs it appends the
 * nodes that make the gradients of its operands, so that a backward task is a graph like any other: evaluated, costed, floored, mutated, scaled and lowered
 * by what is there already. At kinks and ties the value is PyTorch's.
 */
import type { Attribute, DType, GraphNode, JsonNumber, TensorSpec } from '../../types.ts';
import type { Attributes } from '../operator.ts';
import { elementCount, isFloating, sameShape } from '../tensor.ts';

/** A value of the graph that is being built. */
export interface Value {
  id: number;
  spec: TensorSpec;
}

/** What a gradient is given. */
export interface GradientContext {
  g: GradientBuilder;
  inputs: readonly Value[];
  outputs: readonly Value[];
  /** Gradient of each output; undefined where nothing flows into it. At least one is there. */
  grads: readonly (Value | undefined)[];
  /** The first output's gradient (zeros if nothing flows into it): all that operators with one output need. */
  grad: Value;
  attributes: Attributes;
  /** The attributes as they stand in the node, to be handed on. */
  raw: GraphNode['attributes'];
}

/** Gradients of the operands, in order; undefined (or missing at the end) for one that nothing flows to. */
export type Gradient = (context: GradientContext) => readonly (Value | undefined)[];

/**
 * A gradient; or `none` where none flows: the derivative is zero wherever it exists (rounding, comparisons), or the result is no floating-point number; or
 * `unsupported` where it exists and is not written, which is an error and never a wrong answer.
 */
export type Differentiability = Gradient | 'none' | 'unsupported';

/** Where the builder puts its nodes. */
export interface GraphTarget {
  append(op: string, inputs: readonly number[], attributes: GraphNode['attributes']): Value[];
  constant(spec: TensorSpec, value: JsonNumber): Value;
}

type Operand = Value | number;
type AttributeMap = Record<string, Attribute>;

const spelled = (x: number): JsonNumber =>
  Number.isNaN(x) ? 'nan' : x === Infinity ? 'inf' : x === -Infinity ? '-inf' : x;

/** Appends nodes, each distinct application once. Methods are named after the operators they apply. */
export class GradientBuilder {
  readonly #target: GraphTarget;
  readonly #known = new Map<string, Value[]>();

  constructor(target: GraphTarget) {
    this.#target = target;
  }

  /** Makes known that a node gives these values, so that a gradient that asks for the same gets them. */
  remember({ op, inputs, attributes, outputs }: Pick<GraphNode, 'op' | 'inputs' | 'attributes' | 'outputs'>): void {
    if (op !== 'dropout') this.#known.set(JSON.stringify([op, inputs, attributes]), [...outputs]);
  }

  /** All outputs of an operator. */
  nodes(op: string, inputs: readonly Value[], attributes: GraphNode['attributes'] = {}): Value[] {
    const ids = inputs.map((v) => v.id);
    const key = JSON.stringify([op, ids, attributes]);
    let made = this.#known.get(key);
    if (!made) {
      made = this.#target.append(op, ids, attributes);
      this.#known.set(key, made);
    }
    return made;
  }

  /** The first output of an operator. */
  node(op: string, inputs: readonly Value[], attributes: GraphNode['attributes'] = {}): Value {
    return this.nodes(op, inputs, attributes)[0]!;
  }

  /** A tensor filled with one value. */
  constant(shape: readonly number[], dtype: DType, value: number): Value {
    const key = JSON.stringify(['constant', shape, dtype, spelled(value)]);
    const known = this.#known.get(key);
    if (known) return known[0]!;
    const made = this.#target.constant({ shape, dtype }, spelled(value));
    this.#known.set(key, [made]);
    return made;
  }

  zerosLike(x: Value): Value {
    return this.constant(x.spec.shape, x.spec.dtype, 0);
  }

  /** A binary operator, where a number is the attribute `other`. */
  binary(op: string, x: Operand, y: Operand, more: AttributeMap = {}): Value {
    if (typeof x !== 'number' && typeof y !== 'number') return this.node(op, [x, y], more);
    if (typeof x !== 'number') return this.node(op, [x], { ...more, other: spelled(y as number), reverse: false });
    const reverse = op !== 'add' && op !== 'mul';
    return this.node(op, [y as Value], { ...more, other: spelled(x), reverse });
  }

  add(x: Operand, y: Operand): Value {
    return this.binary('add', x, y);
  }

  sub(x: Operand, y: Operand): Value {
    return this.binary('sub', x, y);
  }

  mul(x: Operand, y: Operand): Value {
    if (y === 1 && typeof x !== 'number') return x;
    return this.binary('mul', x, y);
  }

  div(x: Operand, y: Operand): Value {
    return this.binary('div', x, y, { rounding: null });
  }

  square(x: Value): Value {
    return this.mul(x, x);
  }

  pow(x: Operand, y: Operand): Value {
    return this.binary('pow', x, y);
  }

  neg(x: Value): Value {
    return this.node('neg', [x]);
  }

  unary(op: string, x: Value, attributes: AttributeMap = {}): Value {
    return this.node(op, [x], attributes);
  }

  /** A comparison or logical operator: bool. */
  test(op: string, x: Value, y: Operand): Value {
    return this.binary(op, x, y);
  }

  /** x where the mask is false, `value` elsewhere; the mask must broadcast to x. */
  fill(x: Value, mask: Value, value = 0): Value {
    return this.node('masked_fill', [x, mask], { value: spelled(value) });
  }

  where(condition: Value, x: Value, y: Operand): Value {
    const other = typeof y === 'number' ? this.constant([], x.spec.dtype, y) : y;
    return this.node('where', [condition, x, other]);
  }

  cast(x: Value, dtype: DType): Value {
    return x.spec.dtype === dtype ? x : this.node('cast', [x], { dtype });
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return sameShape(x.spec.shape, shape) ? x : this.node('reshape', [x], { shape: [...shape] });
  }

  permute(x: Value, dims: readonly number[]): Value {
    return dims.every((d, i) => d === i) ? x : this.node('permute', [x], { dims: [...dims] });
  }

  /** The last two dimensions exchanged. */
  transpose(x: Value): Value {
    const rank = x.spec.shape.length;
    const dims = x.spec.shape.map((_, d) => (d === rank - 2 ? rank - 1 : d === rank - 1 ? rank - 2 : d));
    return this.permute(x, dims);
  }

  /** Broadcast to a shape: leading dimensions are added. */
  expand(x: Value, shape: readonly number[]): Value {
    const lead = new Array<number>(shape.length - x.spec.shape.length).fill(1);
    const aligned = this.reshape(x, [...lead, ...x.spec.shape]);
    return sameShape(aligned.spec.shape, shape) ? aligned : this.node('expand', [aligned], { shape: [...shape] });
  }

  slice(x: Value, dim: number, start: number, end: number, step = 1): Value {
    if (start === 0 && end === x.spec.shape[dim] && step === 1) return x;
    return this.node('slice', [x], { dim, start, end, step });
  }

  /** A reduction, `dims` sorted; no node where there is nothing to reduce. */
  reduce(op: string, x: Value, dims: readonly number[], keepdim: boolean, more: AttributeMap = {}): Value {
    if (dims.length === 0 && (op === 'sum' || op === 'mean')) return x;
    return this.node(op, [x], { ...more, dims: [...dims], keepdim });
  }

  sum(x: Value, dims: readonly number[], keepdim = false): Value {
    return this.reduce('sum', x, dims, keepdim);
  }

  mean(x: Value, dims: readonly number[], keepdim = true): Value {
    return this.reduce('mean', x, dims, keepdim);
  }

  /** The gradient of an operand that was broadcast: summed back to the operand's shape. */
  sumTo(x: Value, shape: readonly number[]): Value {
    if (sameShape(x.spec.shape, shape)) return x;
    const lead = x.spec.shape.length - shape.length;
    const dims = x.spec.shape.flatMap((size, d) => (d < lead || (shape[d - lead] === 1 && size !== 1) ? [d] : []));
    return this.reshape(this.sum(x, dims), shape);
  }

  matmul(a: Value, b: Value): Value {
    return this.node('matmul', [a, b]);
  }
}

/** Every dimension of a shape. */
export const allDims = (shape: readonly number[]): number[] => shape.map((_, d) => d);

/** A shape with some dimensions kept as ones: what a reduction with keepdim gives. */
export const keptShape = (shape: readonly number[], dims: readonly number[]): number[] =>
  shape.map((size, d) => (dims.includes(d) ? 1 : size));

/** Elements in the reduced dimensions. */
export const reducedCount = (shape: readonly number[], dims: readonly number[]): number =>
  elementCount(dims.map((d) => shape[d]!));

/** Whether a value can carry a gradient at all. */
export const carriesGradient = (spec: TensorSpec): boolean => isFloating(spec.dtype);
