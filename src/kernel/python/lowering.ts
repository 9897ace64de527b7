/**
 * What a submission's Python does with tensors becomes steps of the plan: views are views of buffers, copies are copies, and every other operator of
 * PyTorch is a step that the device evaluates with the judge's own float32 reference. Values are told in the order in which they were made; those of
 * forward become steps at once, because kernels may write the same memory later; those of __init__ when they are first needed.
 */
import {
  type Attribute,
  type GraphNode,
  inferNode,
  isRandomDraw,
  operatorOf,
  type Signature,
  type SubmissionNews,
  type SubmissionValue,
  sameSpec,
  specText,
  type TensorSpec,
} from '../../task/index.ts';
import { invalid, refused, unsupported } from '../error.ts';
import type { TensorView } from '../interpret/values.ts';
import { contiguousStrides, count, type World } from '../interpret/world.ts';

/** A value: not yet a step of the plan, or a view of a buffer. */
interface Known {
  spec: TensorSpec;
  made?: () => TensorView;
  view?: TensorView;
}

export class Lowering {
  readonly #world: World;
  readonly #arguments: readonly TensorView[];
  readonly #values = new Map<number, Known>();
  readonly #initial = new Map<number, number>();
  /** The id that the next value has. */
  #next = 0;

  constructor(world: World, signature: Signature) {
    this.#world = world;
    this.#arguments = signature.tensors.map(({ name, spec }, i) => world.argument(i, name, spec.shape, spec.dtype));
  }

  /** Takes what was made since the last time. @throws CandidateError */
  take({ values, lazyBelow, initial }: SubmissionNews): void {
    for (const [value, argument] of initial) this.#initial.set(value, argument);
    for (const value of values) {
      if (value.id < this.#next) throw invalid(`the value ${value.id} is told twice`, 0);
      this.#take(value);
      const made = value.kind === 'node' ? value.outputs.map((_, i) => value.id + i) : [];
      if (value.id >= lazyBelow) for (const id of made) this.view(id, value.kind === 'node' ? value.line : 0);
    }
  }

  /** The tensor of a value. @throws CandidateError where there is none, or it is drawn at random. */
  view(id: number, line: number): TensorView {
    const known = this.#values.get(id);
    if (!known) throw invalid(`the value ${id} is used before it is made`, line);
    if (known.view) return known.view;
    if (!known.made) throw invalid(`the value ${id} is made of itself`, line);
    const make = known.made;
    known.made = undefined; // a value that needs itself ends above, not in an endless recursion
    known.view = make();
    return known.view;
  }

  /** A new value, made by an extension. Returns its id. */
  define(view: TensorView): void {
    this.#values.set(this.#next, { spec: view, view });
    this.#next++;
  }

  /** The same value from now on elsewhere: where a program lays it out otherwise than a step wrote it. */
  relay(id: number, strides: readonly number[], line: number): TensorView {
    const view = this.view(id, line);
    const moved = this.#world.empty(view.shape, view.dtype, 'cuda', view.name, line, strides);
    this.#world.copy(view, moved, line);
    (this.#values.get(id) as Known).view = moved;
    return moved;
  }

  #take(value: SubmissionValue): void {
    if (value.kind === 'node') {
      this.#node(value);
      return;
    }
    this.#next = value.id + 1;
    if (value.kind === 'argument') {
      const view = this.#arguments[value.argument];
      if (!view) throw invalid(`there is no argument ${value.argument}`, 0);
      this.#values.set(value.id, { spec: view, view });
      return;
    }
    const { spec, draw, id } = value;
    const strides = laidOut(spec, value.strides, 0);
    const parameter = this.#parameterOf(id, spec);
    this.#values.set(id, {
      spec,
      made: () => {
        if (parameter) return parameter;
        if (draw.kind === 'uninitialised')
          return this.#world.empty(spec.shape, spec.dtype, 'cuda', 'empty', 0, strides);
        if (isRandomDraw(draw)) {
          throw refused(
            `a tensor ${specText(spec)} is drawn at random and is no parameter or buffer of ModelNew: the judge cannot know its values. Register it as Model does`,
            0,
          );
        }
        const made = this.#world.empty(spec.shape, spec.dtype, 'cuda', 'constant', 0, strides);
        if (draw.kind === 'constant') this.#world.fill(made, Number(numberOf(draw.value)), 0);
        else this.#world.constant(made, draw, 0);
        return made;
      },
    });
  }

  /** The argument that a value of __init__ is, where it is a parameter's first value. */
  #parameterOf(id: number, spec: TensorSpec): TensorView | undefined {
    const index = this.#initial.get(id);
    const view = index === undefined ? undefined : this.#arguments[index];
    return view && sameSpec(view, spec) ? view : undefined;
  }

  #node({ kind: _, id, outputs, strides: told, ...rest }: Extract<SubmissionValue, { kind: 'node' }>): void {
    const { line } = rest;
    const strides = laidOut(outputs[0] as TensorSpec, told, line);
    const specs = rest.inputs.map((input) => {
      const known = this.#values.get(input);
      if (!known) throw invalid(`${rest.op} reads a value that is not made before it`, line);
      return known.spec;
    });
    const node: GraphNode = { ...rest, outputs: outputs.map((spec, i) => ({ id: id + i, spec })) };
    const inferred = node.op === 'clone' ? specs.slice(0, 1) : inferred_(node, specs);
    if (inferred.length !== outputs.length || !inferred.every((spec, i) => sameSpec(spec, outputs[i] as TensorSpec))) {
      throw invalid(
        `${node.op} gives ${inferred.map(specText).join(', ')}, not ${outputs.map(specText).join(', ')}`,
        line,
      );
    }
    let made: TensorView[] | undefined;
    outputs.forEach((spec, i) => {
      const parameter = this.#parameterOf(id + i, spec);
      this.#values.set(id + i, {
        spec,
        made: () => {
          if (parameter) return parameter;
          made ??= this.#lower(node, strides);
          return made[i] as TensorView;
        },
      });
    });
    this.#next = id + outputs.length;
  }

  /** `strides` are those of the first result, where it is not row-major. */
  #lower(node: GraphNode, strides: readonly number[] | undefined): TensorView[] {
    const { op, line, attributes } = node;
    const inputs = node.inputs.map((id) => this.view(id, line));
    const [first] = inputs;
    const spec = node.outputs[0]?.spec as TensorSpec;
    if (first && op === 'clone') return [this.#world.materialise(first, first.dtype, line, strides)];
    const seen = first && viewOf(op, first, attributes, spec.shape);
    if (seen) return [seen];
    if (first && op === 'reshape')
      return [
        {
          ...this.#world.materialise(first, first.dtype, line),
          shape: spec.shape,
          strides: contiguousStrides(spec.shape),
        },
      ];
    if (operatorOf(op).kind === 'random')
      throw refused(`${op} draws random numbers: the result cannot be judged`, line);
    const made = node.outputs.map((o, i) =>
      this.#world.empty(
        ...([o.spec.shape, o.spec.dtype, 'cuda', `result of ${op}`, line, i === 0 ? strides : undefined] as const),
      ),
    );
    this.#world.operator(op, attributes, inputs, made, line);
    return made;
  }
}

/** Strides that were told, checked: every element has a place of its own and there are no gaps. @throws CandidateError */
function laidOut({ shape }: TensorSpec, strides: readonly number[] | undefined, line: number) {
  if (strides === undefined) return undefined;
  const dims = shape.map((n, d) => [n, strides[d] ?? -1] as const).filter(([n]) => n !== 1);
  let run = 1;
  for (const [n, stride] of dims.sort(([, a], [, b]) => a - b)) {
    if (stride !== run) throw invalid(`the strides [${strides.join(', ')}] are none of [${shape.join(', ')}]`, line);
    run *= n;
  }
  if (strides.length !== shape.length)
    throw invalid(`the strides [${strides.join(', ')}] are none of [${shape.join(', ')}]`, line);
  return strides;
}

function inferred_(node: GraphNode, specs: readonly TensorSpec[]): TensorSpec[] {
  try {
    return inferNode(node, specs);
  } catch (error) {
    throw unsupported((error as Error).message.replace(/^Line \d+: /, ''), node.line);
  }
}

const numberOf = (value: number | 'inf' | '-inf' | 'nan'): number =>
  value === 'inf' ? Infinity : value === '-inf' ? -Infinity : value === 'nan' ? Number.NaN : value;

/** The result of an operator that moves nothing, as a view of its operand; undefined where it must be computed. */
function viewOf(
  op: string,
  x: TensorView,
  at: Readonly<Record<string, Attribute>>,
  shape: readonly number[],
): TensorView | undefined {
  const strides = [...x.strides];
  switch (op) {
    case 'permute': {
      const dims = at.dims as readonly number[];
      return { ...x, shape, strides: dims.map((d) => strides[d] as number) };
    }
    case 'select': {
      const [dim, index] = [at.dim as number, at.index as number];
      const offset = x.offset + index * (strides[dim] as number);
      strides.splice(dim, 1);
      return { ...x, shape, strides, offset };
    }
    case 'slice': {
      const [dim, start, step] = [at.dim as number, at.start as number, at.step as number];
      const offset = x.offset + start * (strides[dim] as number);
      strides[dim] = (strides[dim] as number) * step;
      return { ...x, shape, strides, offset: count(shape) === 0 ? x.offset : offset };
    }
    case 'expand': {
      const lead = shape.length - x.shape.length;
      return {
        ...x,
        shape,
        strides: shape.map((n, i) => (i < lead || x.shape[i - lead] !== n ? 0 : (strides[i - lead] as number))),
      };
    }
    case 'reshape': {
      const seen = viewStrides(x, shape);
      return seen && { ...x, shape, strides: seen };
    }
  }
  return undefined;
}

/** Strides of a view of another shape, or undefined where only a copy has it (at::detail::computeStride). */
function viewStrides(x: TensorView, shape: readonly number[]): number[] | undefined {
  if (count(shape) === 0) return contiguousStrides(shape);
  const strides = new Array<number>(shape.length).fill(1);
  let at = shape.length - 1;
  let chunkStride = x.strides.at(-1) ?? 1;
  let elements = 1;
  let placed = 1;
  for (let d = x.shape.length - 1; d >= 0; d--) {
    elements *= x.shape[d] as number;
    const before = x.shape[d - 1];
    if (d > 0 && (before === 1 || x.strides[d - 1] === elements * chunkStride)) continue;
    while (at >= 0 && (placed < elements || shape[at] === 1)) {
      strides[at] = placed * chunkStride;
      placed *= shape[at] as number;
      at--;
    }
    if (placed !== elements) return undefined;
    chunkStride = d > 0 ? (x.strides[d - 1] as number) : 1;
    elements = 1;
    placed = 1;
  }
  return at >= 0 && shape.slice(0, at + 1).some((n) => n !== 1) ? undefined : strides;
}
