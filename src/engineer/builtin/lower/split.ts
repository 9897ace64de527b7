/**
 * Splitting a reduction in two: parts first, then the fold of the parts. Long rows that are few, and deep products with a
 * small output, get enough blocks to fill a GPU this way, and every sum keeps a fixed order.
 */
import type { Program, ProgramValue, ReduceStep, Step } from './program.ts';
import { momentParts, splitMoments } from './split-moments.ts';
import { product } from './strides.ts';

/** Folds whose partial results fold again with the same fold. */
const splittable = new Set(['sum', 'prod', 'max', 'min', 'any', 'all']);

/** Parts into which a reduction can be cut, up to `limit`: divisors of its longest folded dimension; of squares about a mean, see {@link momentParts}. */
export function splitChoices(step: ReduceStep, limit: number): number[] {
  if (step.about !== undefined) return momentParts(step, limit);
  if (!splittable.has(step.fold)) return [];
  // Windows are cut where a kernel reads them, not into matrices.
  if (step.contraction?.b.gather || step.window) return [];
  const size = step.domain[splitAxis(step)]!;
  const choices: number[] = [];
  for (let parts = 2; parts <= Math.min(limit, size / 2); parts++) if (size % parts === 0) choices.push(parts);
  return choices;
}

/**
 * The folded dimension that is cut: the last for products (k), otherwise the longest, outermost first. Of equally long ones it is one along which all that
 * makes the elements differs: parts that are cut along it do not all read the whole of a broadcast operand.
 */
function splitAxis(step: ReduceStep, earlier: readonly Step[] = []): number {
  if (step.contraction) return step.domain.length - 1;
  const longest = Math.max(...step.axes.map((axis) => step.domain[axis]!));
  const axes = step.axes.filter((axis) => step.domain[axis] === longest).sort((a, b) => a - b);
  const reads = axes.length > 1 ? readsOf(step.input.value, step.domain, earlier) : [];
  return axes.find((axis) => reads.every((strides) => strides[axis] !== 0)) ?? axes[0]!;
}

/** Strides of what is read to make a value over a shape, through all maps over the same shape. */
function readsOf(value: number, shape: readonly number[], steps: readonly Step[]): (readonly number[])[] {
  const maker = steps.find((one) => one.kind === 'map' && one.out === value && String(one.shape) === String(shape));
  if (maker?.kind !== 'map') return [];
  return maker.operands.flatMap((operand) => {
    if (operand.kind !== 'load') return [];
    // A scalar is the same for all.
    if (operand.strides.every((stride) => stride === 0)) return [];
    const deeper = readsOf(operand.value, shape, steps);
    return deeper.length > 0 ? deeper : [operand.strides];
  });
}

/** Rewrites the reductions named by `parts` (value made -> number of parts). Original values keep their ids. */
export function splitReductions(program: Program, parts: ReadonlyMap<number, number>): Program {
  if (parts.size === 0) return program;
  const values: ProgramValue[] = [...program.values];
  // Squares about a mean take the sum of that mean with them, in as many parts.
  const replaced = new Map<Step, readonly Step[]>();
  for (const step of program.steps) {
    const count = partsOf(step, parts);
    if (count === undefined || step.kind !== 'reduce' || step.about === undefined) continue;
    for (const [old, steps] of splitMoments(program, step, count, values)) replaced.set(old, steps);
  }
  const steps: Step[] = [];
  for (const step of program.steps) {
    const count = partsOf(step, parts);
    const others = replaced.get(step);
    if (others) steps.push(...others);
    else if (step.kind !== 'reduce' || count === undefined) steps.push(step);
    else steps.push(...splitOne(step, count, values, steps));
  }
  return { ...program, values, steps };
}

function partsOf(step: Step, parts: ReadonlyMap<number, number>): number | undefined {
  return step.kind === 'reduce' ? parts.get(step.outs[0]!) : undefined;
}

function splitOne(step: ReduceStep, count: number, values: ProgramValue[], earlier: Step[]): Step[] {
  const out = values[step.outs[0]!]!;
  const axis = splitAxis(step, earlier);
  const length = step.domain[axis]! / count;
  const partial: ProgramValue = {
    id: values.length,
    shape: [],
    dtype: out.dtype,
    name: `${out.name}_parts_of_${count}`,
    origin: { kind: 'step' },
  };
  const cut = (list: readonly number[], outer: number, inner: number) => [
    ...list.slice(0, axis),
    outer,
    inner,
    ...list.slice(axis + 1),
  ];
  const stride = step.input.strides[axis]!;
  let domain = cut(step.domain, count, length);
  let input = { ...step.input, strides: cut(step.input.strides, stride * length, stride) };
  let axes = step.axes.map((own) => (own >= axis ? own + 1 : own));
  let partAxis = domain.slice(0, axis).filter((_, d) => !step.axes.includes(d)).length;
  let contraction = step.contraction;
  if (contraction) {
    // Parts become the outermost batch dimension: [parts, batch..., m, n, k / parts].
    const { a, b, batch, k } = contraction;
    const [depthA, depthB] = [a.strides.at(-1)! * length, b.strides.at(-2)! * length];
    contraction = {
      ...contraction,
      batch: [count, ...batch],
      k: k / count,
      a: { ...a, strides: [depthA, ...a.strides] },
      b: { ...b, strides: [depthB, ...b.strides] },
    };
    const toFront = (list: readonly number[]) => [list[axis]!, ...list.slice(0, axis), ...list.slice(axis + 1)];
    const virtual = earlier.at(-1);
    if (virtual?.kind !== 'map' || !virtual.virtual || virtual.out !== step.input.value)
      throw new Error('a product is not followed by its sum');
    const cutOperand = (strides: readonly number[]) => toFront(cut(strides, strides[axis]! * length, strides[axis]!));
    domain = toFront(domain);
    earlier[earlier.length - 1] = {
      ...virtual,
      shape: domain,
      operands: virtual.operands.map((operand) => ({ ...operand, strides: cutOperand(operand.strides) })),
    };
    values[virtual.out] = { ...values[virtual.out]!, shape: domain };
    input = { ...step.input, strides: domain.map((_, d) => product(domain.slice(d + 1))) };
    axes = [domain.length - 1];
    partAxis = 0;
  }
  partial.shape = domain.filter((_, d) => !axes.includes(d));
  values.push(partial);
  const first: ReduceStep = {
    ...step,
    outs: [partial.id],
    domain,
    axes,
    input,
    ...(contraction ? { contraction } : {}),
  };
  const second: ReduceStep = {
    kind: 'reduce',
    node: step.node,
    outs: step.outs,
    domain: partial.shape,
    axes: [partAxis],
    input: { value: partial.id, strides: partial.shape.map((_, d) => product(partial.shape.slice(d + 1))), offset: 0 },
    fold: step.fold,
  };
  return [first, second];
}
