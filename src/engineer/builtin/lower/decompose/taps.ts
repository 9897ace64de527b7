/**
 * Folds over few, listed elements: each output position along a dimension has *taps*, the places it reads and their weights,
 * kept as tables in the code. Resampling, unequal windows, borders that repeat, and the gradients of windows are all this:
 * a gradient's taps are the forward's turned round, so that each element gathers what reached it and no two threads add to one.
 */
import type { DType } from '../../../../task/index.ts';
import type { FoldName } from '../folds.ts';
import type { Argument, Operand, View } from '../program.ts';
import { type ComputeType, literal } from '../scalar.ts';
import { contiguousStrides } from '../strides.ts';
import type { Lowering } from './context.ts';

/** Elements of a table that are kept in the code. */
const tableLimit = 1 << 16;

/** One place that an output position reads: `at` elements along the source's dimension. */
export interface Tap {
  at: number;
  weight: number;
}

/** Taps of every output position along one dimension. */
export interface TappedDimension {
  dim: number;
  taps: readonly (readonly Tap[])[];
}

/** Turns taps round: for each of `size` source positions, the outputs that read it. */
export function transposedTaps(taps: readonly (readonly Tap[])[], size: number): Tap[][] {
  const turned: Tap[][] = Array.from({ length: size }, () => []);
  taps.forEach((own, output) => {
    for (const { at, weight } of own) turned[at]!.push({ at: output, weight });
  });
  return turned;
}

/** Windows of one dimension as taps of weight `weight(o)`, those inside the source alone. */
export function windowTaps(
  outputs: number,
  size: number,
  window: (o: number) => { first: number; count: number; step: number },
  weight: (o: number) => number = () => 1,
): Tap[][] {
  return Array.from({ length: outputs }, (_, o) => {
    const { first, count, step } = window(o);
    const places = Array.from({ length: count }, (_, k) => first + k * step);
    return places.filter((at) => at >= 0 && at < size).map((at) => ({ at, weight: weight(o) }));
  });
}

export interface TappedOptions {
  label: string;
  /** How taps combine; positions without a tap count as `outside`. */
  fold: FoldName;
  outside: number;
  dtype?: DType;
  /** The term of one tap, from what is read at it and where that is (its offset in the first view); the weights multiply it. */
  term?: (reads: readonly string[], place: string, more: readonly Argument[], type: ComputeType) => string;
  /** Further operands of `term`, over the output's shape. */
  more?: readonly Operand[];
}

/**
 * Folds the taps of some dimensions of views of equal shapes. `dim` counts in the views' shape, whose other dimensions are kept.
 * Elements must be addressed by one stride a dimension: `taps[].at` times it.
 */
export function foldTaps(
  lower: Lowering,
  views: readonly View[],
  dimensions: readonly TappedDimension[],
  options: TappedOptions,
): View {
  const own = new Map(dimensions.map(({ dim, taps }) => [dim, taps]));
  const shape = views[0]!.shape.map((size, d) => own.get(d)?.length ?? size);
  const counts = dimensions.map(({ taps }) => Math.max(1, ...taps.map((list) => list.length)));
  const folded = dimensions.flatMap((_, k) => (counts[k]! > 1 ? [k] : []));
  const domain = [...shape, ...folded.map((k) => counts[k]!)];
  const dtype = lower.dtype(views[0]!);
  /** A table over (output position, tap) as a view over the domain. */
  const table = (k: number, values: readonly number[], type: DType): View => {
    if (values.length > tableLimit)
      lower.fail(`a table of ${values.length} taps, more than the ${tableLimit} kept in code`);
    const strides = domain.map((_, d) => (d === dimensions[k]!.dim ? counts[k]! : 0));
    if (counts[k]! > 1) strides[shape.length + folded.indexOf(k)] = 1;
    return { ...lower.table(values, type, [values.length]), shape: domain, strides };
  };
  const filled = (k: number, value: (tap: Tap) => number, missing: number) =>
    dimensions[k]!.taps.flatMap((list) =>
      Array.from({ length: counts[k]! }, (_, t) => (list[t] ? value(list[t]) : missing)),
    );
  const places = dimensions.map((_, k) =>
    table(
      k,
      filled(k, (tap) => tap.at, -1),
      'int32',
    ),
  );
  const weighted = dimensions.flatMap(({ taps }, k) =>
    taps.some((list) => list.some(({ weight }) => weight !== 1)) ? [k] : [],
  );
  const weights = weighted.map((k) =>
    table(
      k,
      filled(k, (tap) => tap.weight, 0),
      dtype,
    ),
  );
  const partial = dimensions.flatMap(({ taps }, k) => (taps.some((list) => list.length < counts[k]!) ? [k] : []));
  const reads = views.map(
    (view): Operand => ({
      ...{ kind: 'load', lazy: true, value: view.value, offset: view.offset },
      strides: domain.map((_, d) => (d >= shape.length || own.has(d) ? 0 : view.strides[d]!)),
    }),
  );
  const more = (options.more ?? []).map((operand) => ({
    ...operand,
    strides: [...operand.strides, ...folded.map(() => 0)],
  }));
  const out = options.dtype ?? dtype;
  const elements = lower.map(
    [...places, ...weights],
    out,
    (args, type) => {
      const at = args.slice(0, places.length).map(({ text }) => text);
      const factors = args.slice(places.length, places.length + weights.length).map(({ text }) => `${text} * `);
      const read = args.slice(places.length + weights.length, places.length + weights.length + views.length);
      const place = (view: View) => dimensions.map(({ dim }, k) => `${at[k]} * ${view.strides[dim]}`).join(' + ');
      const texts = read.map((argument, v) => argument.at(place(views[v]!)));
      const rest = args.slice(places.length + weights.length + views.length);
      const term = `${factors.join('')}${options.term ? options.term(texts, place(views[0]!), rest, type) : texts[0]}`;
      const inside = partial.map((k) => `${at[k]} >= 0`);
      return inside.length > 0 ? `(${inside.join(' && ')} ? ${term} : ${literal(options.outside, type)})` : term;
    },
    { label: 'tap', shape: domain, virtual: folded.length > 0, more: [...reads, ...more] },
  );
  if (folded.length === 0) return elements;
  return lower.reduce(options.label, elements, domain.map((_, d) => d).slice(shape.length), options.fold);
}

/** The row-major position within the given dimensions of a shape, as an operand over that shape. */
export function positionWithin(shape: readonly number[], dims: readonly number[]): Operand {
  const inner = contiguousStrides(dims.map((d) => shape[d]!));
  return { kind: 'index', offset: 0, strides: shape.map((_, d) => (dims.includes(d) ? inner[dims.indexOf(d)]! : 0)) };
}
