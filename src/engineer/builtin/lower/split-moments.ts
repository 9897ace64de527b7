/**
 * Mean and squared deviations of long rows, part by part: one read gives both for each part, and the parts' are put together exactly.
 *
 * A row that no block or cluster can keep is read once for its mean, once for the deviations from it, once for what they are for. Cut into parts that fit
 * the registers of a block, the first two reads are one. Of n elements in parts of l with sums s_p and squares q_p about the parts' own means,
 * sum (x - m)^2 = sum_p (q_p + l (s_p / l - m)^2)  (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
 * sample variances", 1979): every term is a sum of squares, and nothing cancels, as it would in E[x^2] - E[x]^2.
 */
import type { MapStep, Program, ProgramValue, ReduceStep, Step } from './program.ts';
import { literal } from './scalar.ts';
import { contiguousStrides, product } from './strides.ts';

/** Parts into which the rows of squares can be cut, up to `limit`: whole outer dimensions, and a divisor of the next. */
export function momentParts({ domain, axes }: ReduceStep, limit: number): number[] {
  const choices = new Set<number>();
  let outer = 1;
  for (const axis of [...axes].sort((a, b) => a - b)) {
    const size = domain[axis]!;
    for (let part = 1; part < size && outer * part <= limit; part++) if (size % part === 0) choices.add(outer * part);
    outer *= size;
  }
  choices.delete(1);
  return [...choices].sort((a, b) => a - b);
}

/** A domain whose folded dimensions are cut in two: those that tell parts apart, and those that a part folds. */
interface Cut {
  domain: readonly number[];
  /** Folded by a part. */
  axes: readonly number[];
  /** Dimensions of the results of parts, of which `across` are folded when the parts are put together. */
  kept: readonly number[];
  across: readonly number[];
  /** Strides over the original domain, over the cut one. */
  strides: (own: readonly number[]) => number[];
}

function cutInto({ domain, axes }: ReduceStep, count: number): Cut {
  let left = count;
  const pieces = domain.map((size, d) => {
    if (!axes.includes(d)) return [{ size, scale: 1, folded: false, across: false }];
    const parts = left % size === 0 ? size : left;
    left /= parts;
    const length = size / parts;
    const pair = [
      { size: parts, scale: length, folded: false, across: true },
      { size: length, scale: 1, folded: true, across: false },
    ];
    return pair.filter((piece) => piece.size > 1 || size === 1);
  });
  if (left !== 1) throw new Error(`rows of ${axes.map((d) => domain[d])} do not divide into ${count} parts`);
  const flat = pieces.flat();
  const folded = flat.flatMap((piece, d) => (piece.folded ? [d] : []));
  const kept = flat.flatMap((piece, d) => (piece.folded ? [] : [d]));
  return {
    domain: flat.map(({ size }) => size),
    axes: folded,
    kept,
    across: kept.flatMap((d, k) => (flat[d]!.across ? [k] : [])),
    strides: (own) => pieces.flatMap((cut, d) => cut.map(({ scale }) => own[d]! * scale)),
  };
}

/** What the steps of the moments that end in `squares`, a sum with `about`, become in `count` parts; steps not named stay. New values are appended to `values`. */
export function splitMoments(
  { steps }: Program,
  squares: ReduceStep,
  count: number,
  values: ProgramValue[],
): ReadonlyMap<Step, readonly Step[]> {
  const makerOf = (value: number) =>
    steps.find((step): step is MapStep => step.kind === 'map' && step.out === value) ?? missing();
  const total = steps.find((step): step is ReduceStep => step.kind === 'reduce' && step.outs[0] === squares.about);
  const squared = makerOf(squares.input.value);
  const [deviation] = squared.operands;
  if (!total || deviation?.kind !== 'load') missing();
  const centred = makerOf(deviation.value);
  const [element, mean] = centred.operands;
  if (element?.kind !== 'load' || mean?.kind !== 'load') missing();

  const cut = cutInto(total, count);
  const length = product(cut.axes.map((d) => cut.domain[d]!));
  const shape = cut.kept.map((d) => cut.domain[d]!);
  const overKept = (strides: readonly number[]) => cut.kept.map((d) => cut.strides(strides)[d]!);
  const own = contiguousStrides(shape);
  /** A part's value, as each of its elements sees it. */
  const ofPart = cut.domain.map((_, d) => (cut.kept.includes(d) ? own[cut.kept.indexOf(d)]! : 0));
  const { node } = total;
  const value = (like: number, name: string, over: readonly number[]): number => {
    const { dtype } = values[like]!;
    // Half precision is for tensors: what is only between kernels keeps its digits.
    const wide = dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype;
    values.push({ id: values.length, shape: over, dtype: wide, name, origin: { kind: 'step' } });
    return values.length - 1;
  };
  const named = (of: number, what: string) => `${values[of]!.name}_${what}`;
  const [totalOut, squaresOut] = [total.outs[0]!, squares.outs[0]!];
  const sums = value(totalOut, named(totalOut, `parts_of_${count}`), shape);
  const means = value(totalOut, named(totalOut, 'part_mean'), shape);
  const deviations = value(centred.out, named(centred.out, 'in_part'), cut.domain);
  const powers = value(squared.out, named(squared.out, 'in_part'), cut.domain);
  const partSquares = value(squaresOut, named(squaresOut, `parts_of_${count}`), shape);
  const shifts = value(totalOut, named(totalOut, 'part_shift'), shape);
  const spreads = value(squaresOut, named(squaresOut, 'part_spread'), shape);

  const whole = { strides: contiguousStrides(cut.domain), offset: 0 };
  const part = (of: number) => ({ kind: 'load', value: of, strides: own, offset: 0 }) as const;
  const map = (
    out: number,
    over: readonly number[],
    rest: Pick<MapStep, 'operands' | 'expression' | 'label'>,
  ): Step => ({
    ...{ kind: 'map', node, out, shape: over },
    ...rest,
  });
  const sum = (out: number, from: number, strides: readonly number[], offset: number): Step => ({
    ...{ kind: 'reduce', node, outs: [out], domain: cut.domain, axes: cut.axes, fold: 'sum' },
    input: { value: from, strides, offset },
  });
  const acrossParts = (out: number, from: number): Step => ({
    ...{ kind: 'reduce', node, outs: [out], domain: shape, axes: cut.across, fold: 'sum' },
    input: { value: from, strides: own, offset: 0 },
  });
  const ofParts: Step[] = [
    sum(sums, total.input.value, cut.strides(total.input.strides), total.input.offset),
    map(means, shape, {
      operands: [part(sums)],
      expression: ([s], type) => `${s!.text} / ${literal(length, type)}`,
      label: 'part_mean',
    }),
    map(deviations, cut.domain, {
      operands: [
        { ...element, strides: cut.strides(element.strides) },
        { kind: 'load', value: means, strides: ofPart, offset: 0 },
      ],
      ...{ expression: centred.expression, label: centred.label },
    }),
    map(powers, cut.domain, {
      operands: [{ kind: 'load', value: deviations, ...whole }],
      ...{ expression: squared.expression, label: squared.label },
    }),
    sum(partSquares, powers, whole.strides, 0),
    acrossParts(totalOut, sums),
  ];
  const together: Step[] = [
    map(shifts, shape, {
      operands: [part(sums), { ...mean, strides: overKept(mean.strides) }],
      expression: ([s, m], type) => `${s!.text} / ${literal(length, type)} - ${m!.text}`,
      label: 'part_shift',
    }),
    map(spreads, shape, {
      operands: [part(partSquares), part(shifts)],
      expression: ([q, d], type) => `${q!.text} + ${literal(length, type)} * ${d!.text} * ${d!.text}`,
      label: 'part_spread',
    }),
    acrossParts(squaresOut, spreads),
  ];
  const usedElsewhere = steps.some(
    (step) =>
      step !== squares && 'operands' in step && step.operands.some((o) => o.kind === 'load' && o.value === squared.out),
  );
  return new Map<Step, readonly Step[]>([
    [total, ofParts],
    [squares, together],
    ...(usedElsewhere ? [] : [[squared, []] as const]),
  ]);
}

function missing(): never {
  throw new Error('squares about a mean are not made of a sum, its mean and the deviations');
}
