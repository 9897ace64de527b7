/**
 * Builds a program from a graph, node by node: holds the values and steps so far and offers the few moves that every
 * operator is written in (map, reduce, views of strides).
 */
import type { DType, Graph, GraphNode, Signature } from '../../../../task/index.ts';
import type { FoldName, ScanName } from '../folds.ts';
import {
  type Argument,
  LoweringError,
  type MapStep,
  type Operand,
  type Program,
  type ProgramValue,
  type RecurrentStep,
  type ReduceStep,
  type SortStep,
  type Step,
  stepInputs,
  stepOutputs,
  type View,
} from '../program.ts';
import { attributeNumber, type ComputeType } from '../scalar.ts';
import {
  broadcastShapes,
  broadcastStrides,
  contiguousStrides,
  isContiguous,
  product,
  reshapeStrides,
} from '../strides.ts';

/** Bytes of shared memory that a kernel may declare on every GPU. */
export const mostShared = 48 * 1024;

/** Constants of up to this many known elements become tables in the code. */
const tableLimit = 4096;

/** C++ keywords and names that generated code uses itself. */
const reserved = new Set(
  (
    'auto bool break case char class const continue default delete do double else enum explicit export extern false float for friend goto if ' +
    'inline int long mutable namespace new operator private protected public register return short signed sizeof static struct switch template ' +
    'this throw true try typedef typename union unsigned using virtual void volatile while row lane forward backward torch std merge a b at ' +
    'c g i j k m n p q v w t u h first total state slot live earlier before upto prefix inclusive lower round place item pack stream ' +
    'ring from columns inside corner whole plane folded fold_slice slice column at at_1 at_2 at_3 t_1 t_2 t_3 ' +
    'sums now own fresh size stride pair distance'
  ).split(' '),
);

/** Whether generated code, or C++, has another use for a name. */
export function isReserved(name: string): boolean {
  return reserved.has(name);
}

export interface MapOptions {
  label: string;
  helpers?: readonly string[];
  virtual?: boolean;
  /** Extra operands after the views: index functions and lazy loads, over the map's shape. */
  more?: readonly Operand[];
}

export class Lowering {
  readonly values: ProgramValue[] = [];
  readonly steps: Step[] = [];
  readonly #views = new Map<number, View>();
  readonly #names = new Set<string>();
  #node = 0;
  readonly #graph: Graph;

  constructor(graph: Graph, signature: Signature) {
    this.#graph = graph;
    const sources = [...graph.inputs, ...graph.parameters];
    sources.forEach((source, index) => {
      const name = this.#unique(signature.tensors[index]?.name ?? source.name);
      this.#bind(source.id, this.#value(source.spec.shape, source.spec.dtype, name, { kind: 'argument', index }));
    });
  }

  get node(): GraphNode {
    return this.#graph.nodes[this.#node]!;
  }

  /** Begins the node at this index: what follows belongs to it. */
  begin(index: number): void {
    this.#node = index;
  }

  fail(reason: string): never {
    throw new LoweringError(this.node.op, this.node.line, reason);
  }

  // Attributes of the current node.

  has(name: string): boolean {
    return this.node.attributes[name] === true;
  }

  number(name: string): number {
    return attributeNumber(this.node.attributes[name]);
  }

  numbers(name: string): number[] {
    const value = this.node.attributes[name];
    if (!Array.isArray(value)) this.fail(`attribute "${name}" is not a list`);
    return value.map(attributeNumber);
  }

  // Operands and results of the current node.

  /** Operand k of the current node. */
  input(k: number): View {
    const id = this.node.inputs[k];
    if (id === undefined) this.fail(`operand ${k + 1} is missing`);
    return this.viewOf(id);
  }

  /** The view that a value of the graph stands for; constants are made where first used. */
  viewOf(id: number): View {
    const known = this.#views.get(id);
    if (known) return known;
    const constant = this.#graph.constants.find((candidate) => candidate.id === id);
    if (!constant) this.fail(`value ${id} is not defined before its use`);
    return this.#constant(constant);
  }

  /** Says that output k of the current node is this view. */
  output(view: View, k = 0): void {
    this.#views.set(this.node.outputs[k]!.id, view);
  }

  outputShape(k = 0): readonly number[] {
    return this.node.outputs[k]!.spec.shape;
  }

  outputDtype(k = 0): DType {
    return this.node.outputs[k]!.spec.dtype;
  }

  dtype(view: View): DType {
    return this.values[view.value]!.dtype;
  }

  // Steps.

  /** Element by element over the broadcast of the views' shapes (or `shape`). Returns the result. */
  map(
    views: readonly View[],
    dtype: DType,
    expression: (args: readonly Argument[], type: ComputeType) => string,
    options: MapOptions & { shape?: readonly number[] },
  ): View {
    const shape = options.shape ?? broadcastShapes(...views.map((view) => view.shape));
    const operands: Operand[] = views.map((view) => ({
      kind: 'load',
      value: view.value,
      offset: view.offset,
      strides: broadcastStrides(view.shape, view.strides, shape),
    }));
    const out = this.#value(shape, dtype, this.#unique(options.label), { kind: 'step' });
    const step: MapStep = {
      kind: 'map',
      node: this.#node,
      out: out.id,
      shape,
      operands: [...operands, ...(options.more ?? [])],
      expression,
      label: options.label,
      ...(options.virtual ? { virtual: true } : {}),
      ...(options.helpers ? { helpers: options.helpers } : {}),
    };
    this.steps.push(step);
    return whole(out);
  }

  /** `map` for expressions of plain variables. */
  compute(
    label: string,
    views: readonly View[],
    dtype: DType,
    expression: (x: readonly string[], type: ComputeType) => string,
  ): View {
    return this.map(
      views,
      dtype,
      (args, type) =>
        expression(
          args.map((arg) => arg.text),
          type,
        ),
      { label },
    );
  }

  /** Folds the axes of a view away. The result's shape has them removed, or as ones. */
  reduce(
    label: string,
    view: View,
    axes: readonly number[],
    fold: FoldName,
    options: { keepdim?: boolean; dtype?: DType } & Pick<ReduceStep, 'contraction' | 'about' | 'window'> = {},
  ): View {
    const kept = view.shape.filter((_, d) => !axes.includes(d));
    const out = this.#value(kept, options.dtype ?? this.dtype(view), this.#unique(label), { kind: 'step' });
    this.steps.push({
      kind: 'reduce',
      node: this.#node,
      outs: [out.id],
      domain: view.shape,
      axes,
      input: { value: view.value, strides: view.strides, offset: view.offset },
      fold,
      ...(options.contraction ? { contraction: options.contraction } : {}),
      ...(options.about === undefined ? {} : { about: options.about }),
      ...(options.window ? { window: options.window } : {}),
    });
    const result = whole(out);
    return options.keepdim ? this.keepDims(result, view.shape, axes) : result;
  }

  /** The running fold of views of equal shapes along an axis. A flipped view is scanned from its end, and gives a flipped view. */
  scan(label: string, views: readonly View[], axis: number, fold: ScanName, dtype: DType): View {
    const reverse = views.every((view) => view.strides[axis]! < 0);
    const facing = reverse ? views.map((view) => this.flip(view, axis)) : views;
    const out = this.#value(views[0]!.shape, dtype, this.#unique(label), { kind: 'step' });
    const inputs = facing.map(({ value, strides, offset }) => ({ value, strides, offset }));
    const domain = views[0]!.shape;
    this.steps.push({ kind: 'scan', node: this.#node, outs: [out.id], domain, axis, reverse, inputs, fold });
    return reverse ? this.flip(whole(out), axis) : whole(out);
  }

  /** A value that a step of its own kind makes. */
  result(label: string, shape: readonly number[], dtype: DType): View {
    return whole(this.#value(shape, dtype, this.#unique(label), { kind: 'step' }));
  }

  /** Appends a step that stands alone; `node` is filled in. */
  own(step: Omit<SortStep, 'node'> | Omit<RecurrentStep, 'node'>): void {
    this.steps.push({ ...step, node: this.#node });
  }

  // Views.

  flip(view: View, axis: number): View {
    return {
      ...view,
      offset: view.offset + (view.shape[axis]! - 1) * view.strides[axis]!,
      strides: view.strides.map((own, d) => (d === axis ? -own : own)),
    };
  }

  /** Puts back, as ones, the axes that a reduction of `shape` removed. */
  keepDims(view: View, shape: readonly number[], axes: readonly number[]): View {
    return this.reshape(
      view,
      shape.map((size, d) => (axes.includes(d) ? 1 : size)),
    );
  }

  /** Another shape for the same elements in the same order; a copy only where strides cannot say it. */
  reshape(view: View, shape: readonly number[]): View {
    const strides = reshapeStrides(view.shape, view.strides, shape);
    if (strides) return { value: view.value, shape, strides, offset: view.offset };
    return this.reshape(this.materialise(view), shape);
  }

  permute(view: View, dims: readonly number[]): View {
    return {
      value: view.value,
      offset: view.offset,
      shape: dims.map((d) => view.shape[d]!),
      strides: dims.map((d) => view.strides[d]!),
    };
  }

  expand(view: View, shape: readonly number[]): View {
    return {
      value: view.value,
      offset: view.offset,
      shape,
      strides: broadcastStrides(view.shape, view.strides, shape),
    };
  }

  slice(view: View, dim: number, start: number, size: number, step = 1): View {
    return {
      value: view.value,
      offset: view.offset + start * view.strides[dim]!,
      shape: view.shape.map((own, d) => (d === dim ? size : own)),
      strides: view.strides.map((own, d) => (d === dim ? own * step : own)),
    };
  }

  /** A contiguous copy of a view. */
  materialise(view: View): View {
    return this.compute('copy', [view], this.dtype(view), ([x]) => x!);
  }

  /** Whether a view is all of a value, in order. */
  isWhole(view: View): boolean {
    return isContiguous(view.shape, view) && product(view.shape) === product(this.values[view.value]!.shape);
  }

  // The program.

  finish(): Program {
    const taken = new Set<number>();
    const outputs = this.#graph.outputs.map((id) => {
      let view = this.viewOf(id);
      const owner = this.values[view.value]!;
      // What is returned must be made by the candidate, contiguous, and not shared with another output.
      if (owner.origin.kind !== 'step' || !this.isWhole(view) || taken.has(view.value)) view = this.materialise(view);
      taken.add(view.value);
      return { value: view.value, shape: view.shape };
    });
    return {
      arguments: this.values.filter((value) => value.origin.kind === 'argument').map((value) => value.id),
      values: this.values,
      steps: neededSteps(
        this.steps,
        outputs.map(({ value }) => value),
      ),
      outputs,
      nodes: this.#graph.nodes.map(({ op, line }) => ({ op, line })),
    };
  }

  #constant(constant: Graph['constants'][number]): View {
    const { shape, dtype } = constant.spec;
    const { draw } = constant;
    const size = product(shape);
    let view: View;
    if (draw.kind === 'constant' || (draw.kind === 'values' && draw.values.length === 1)) {
      const value = attributeNumber(draw.kind === 'constant' ? draw.value : draw.values[0]);
      view = this.table([value], dtype, shape);
      view = { ...view, shape, strides: shape.map(() => 0) };
    } else if (draw.kind === 'values') {
      if (size > tableLimit)
        this.fail(`a constant of ${size} elements is larger than the ${tableLimit} that fit in code`);
      view = this.table(draw.values.map(attributeNumber), dtype, shape);
    } else if (draw.kind === 'range') {
      const { start, step } = draw;
      if (!Number.isInteger(start) || !Number.isInteger(step)) this.fail('a range with a fractional start or step');
      view = this.map([], dtype, ([i]) => `${i!.text}`, {
        label: 'range',
        shape,
        more: [{ kind: 'index', strides: contiguousStrides(shape).map((own) => own * step), offset: start }],
      });
    } else {
      this.fail(`a constant drawn at random (${draw.kind}) inside forward has no one value`);
    }
    this.#views.set(constant.id, view);
    return view;
  }

  /** A tensor of known values, kept in the code. */
  table(values: readonly number[], dtype: DType, shape: readonly number[]): View {
    const value = this.#value(
      values.length === product(shape) ? shape : [values.length],
      dtype,
      this.#unique('constant'),
      {
        kind: 'table',
        values,
      },
    );
    return whole(value);
  }

  #value(shape: readonly number[], dtype: DType, name: string, origin: ProgramValue['origin']): ProgramValue {
    if (product(shape) === 0) this.fail('a tensor with no elements');
    const value: ProgramValue = { id: this.values.length, shape, dtype, name, origin };
    this.values.push(value);
    return value;
  }

  #bind(id: number, value: ProgramValue): void {
    this.#views.set(id, whole(value));
  }

  #unique(name: string): string {
    const base = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
    for (let k = 1; ; k++) {
      const candidate = k === 1 && !reserved.has(base) ? base : `${base}_${k}`;
      if (!this.#names.has(candidate)) {
        this.#names.add(candidate);
        return candidate;
      }
    }
  }
}

/** Without the steps whose results nobody reads: a last state that is not returned, places of sorted elements. */
function neededSteps(steps: readonly Step[], outputs: readonly number[]): Step[] {
  const needed = new Set(outputs);
  return steps
    .toReversed()
    .filter((step) => {
      if (!stepOutputs(step).some((out) => needed.has(out))) return false;
      for (const value of stepInputs(step)) needed.add(value);
      return true;
    })
    .reverse();
}

function whole(value: ProgramValue): View {
  return { value: value.id, shape: value.shape, strides: contiguousStrides(value.shape), offset: 0 };
}
