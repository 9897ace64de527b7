/**
 * Fusion groups: which steps share a kernel.
 *
 * A group is legal when one walk serves all its steps. A *map* group walks one domain. A *row* group walks the same domain
 * as outer rows and folded columns: element values live at (row, column), row values (reductions and maps of them) once a
 * row; an element may use a row value of an earlier fold, which starts another loop over the row. A *scan* group walks lines
 * in order: one scan, maps before it and maps after it. Sorts and recurrent layers stand alone.
 */
import {
  isWalkStep,
  type MapStep,
  type OwnStep,
  type Program,
  type ReduceStep,
  type ScanStep,
  type Step,
  standsAlone,
  stepInputs,
  stepOutputs,
  type WalkStep,
} from './program.ts';
import {
  type Affine,
  commonRefinement,
  contiguousStrides,
  isContiguous,
  product,
  refineAffine,
  refinementOrigin,
} from './strides.ts';

/** A dimension of a group's domain. */
export interface Dimension {
  size: number;
  /** Folded by the group's reductions. */
  folded: boolean;
}

/** How the steps of a group fit one walk. */
export interface Structure {
  dimensions: readonly Dimension[];
  /** Where each value of the group lives. In a map group all are `element`. */
  role: ReadonlyMap<number, 'element' | 'row'>;
  /** Loop over the row (0, 1, ...) in which an element value can be computed, and after which a row value is known. */
  loop: ReadonlyMap<number, number>;
}

export interface Group {
  steps: readonly Step[];
  structure: Structure;
}

export interface Partition {
  groups: readonly Group[];
}

/** Kernels longer than this are hard to read and to schedule. */
const maxSteps = 48;
/** Elements that a few blocks read in less time than another launch takes: a launch costs microseconds, and a block reads some 10 bytes a nanosecond. */
const smallWork = 8192;

/** Fits steps (in execution order) to one walk, or says that they do not fit. */
export function analyse(steps: readonly Step[]): Structure | undefined {
  const produced = new Map<number, Step>();
  for (const step of steps) for (const out of stepOutputs(step)) produced.set(out, step);
  const own = steps.find(standsAlone);
  if (own) return steps.length === 1 ? standing(own) : undefined;
  const scans = steps.filter((step): step is ScanStep => step.kind === 'scan');
  const reduces = steps.filter((step): step is ReduceStep => step.kind === 'reduce');
  if (scans.length > 0) {
    return scans.length === 1 && reduces.length === 0 ? analyseScan(steps, scans[0]!, produced) : undefined;
  }
  const plain = steps.filter(isWalkStep);
  return reduces.length === 0
    ? analyseMaps(steps as readonly MapStep[], produced)
    : analyseRows(plain, reduces, produced);
}

/** A sort walks its lines; a recurrent layer has no walk. */
function standing(step: OwnStep): Structure {
  if (step.kind === 'recurrent') return { dimensions: [], role: new Map(), loop: new Map() };
  return {
    dimensions: step.domain.map((size, d) => ({ size, folded: d === step.axis })),
    role: new Map(step.outs.map((value) => [value, 'element'])),
    loop: new Map(step.outs.map((value) => [value, 0])),
  };
}

/** Maps before and after one scan, all over its domain; the scanned axis counts as folded. */
function analyseScan(
  steps: readonly Step[],
  scan: ScanStep,
  produced: ReadonlyMap<number, Step>,
): Structure | undefined {
  const count = product(scan.domain);
  const shapes = steps.map((step) => (step.kind === 'map' ? step.shape : scan.domain));
  if (shapes.some((shape) => product(shape) !== count)) return undefined;
  const sizes = commonRefinement(shapes);
  if (!sizes) return undefined;
  for (const step of steps)
    for (const [value, access, lazy] of loads(step))
      if (produced.has(value) && (lazy || !isContiguous(step.kind === 'map' ? step.shape : scan.domain, access)))
        return undefined;
  const origin = refinementOrigin(scan.domain, sizes);
  const values = steps.flatMap(stepOutputs);
  return {
    dimensions: sizes.map((size, d) => ({ size, folded: origin[d] === scan.axis })),
    role: new Map(values.map((value) => [value, 'element'])),
    loop: new Map(values.map((value) => [value, 0])),
  };
}

function analyseMaps(steps: readonly MapStep[], produced: ReadonlyMap<number, Step>): Structure | undefined {
  const count = product(steps[0]!.shape);
  if (steps.some((step) => product(step.shape) !== count)) return undefined;
  const sizes = commonRefinement(steps.map((step) => step.shape));
  if (!sizes) return undefined;
  for (const step of steps) {
    for (const operand of step.operands) {
      if (operand.kind !== 'load' || !produced.has(operand.value)) continue;
      if (operand.lazy || !isContiguous(step.shape, operand)) return undefined;
    }
  }
  const values = steps.map((step) => step.out);
  return {
    dimensions: sizes.map((size) => ({ size, folded: false })),
    role: new Map(values.map((value) => [value, 'element'])),
    loop: new Map(values.map((value) => [value, 0])),
  };
}

function analyseRows(
  steps: readonly WalkStep[],
  reduces: readonly ReduceStep[],
  produced: ReadonlyMap<number, Step>,
): Structure | undefined {
  const elements = product(reduces[0]!.domain);
  const rows = rowCount(reduces[0]!);
  const role = new Map<number, 'element' | 'row'>();
  for (const step of steps) {
    if (step.kind === 'reduce') {
      if (product(step.domain) !== elements || rowCount(step) !== rows) return undefined;
      for (const out of step.outs) role.set(out, 'row');
      continue;
    }
    const own = stepInputs(step).filter((value) => produced.has(value));
    const size = product(step.shape);
    // With rows of one element both would do: what depends on a fold is a row value.
    const isRow = size === rows && (size !== elements || own.some((value) => role.get(value) === 'row'));
    if (!isRow && size !== elements) return undefined;
    role.set(step.out, isRow ? 'row' : 'element');
  }

  const elementShapes = steps.flatMap((step) =>
    step.kind === 'reduce' ? [step.domain] : role.get(step.out) === 'element' ? [step.shape] : [],
  );
  const rowShapes = steps.flatMap((step) => (step.kind === 'map' && role.get(step.out) === 'row' ? [step.shape] : []));
  const dimensions = rowDimensions(elementShapes, rowShapes, reduces);
  if (!dimensions) return undefined;

  const loop = new Map<number, number>();
  for (const step of steps) {
    let first = 0;
    for (const [value, access, lazy] of loads(step)) {
      if (!produced.has(value)) continue;
      if (lazy || !fits(step, value, access, role, dimensions)) return undefined;
      // A row value is known after its loop; elements that use it belong to the next one.
      const ready = loop.get(value)!;
      first = Math.max(first, role.get(value) === 'row' && isElementStep(step, role) ? ready + 1 : ready);
    }
    for (const out of stepOutputs(step)) loop.set(out, first);
  }
  return { dimensions, role, loop };
}

function isElementStep(step: WalkStep, role: ReadonlyMap<number, 'element' | 'row'>): boolean {
  return step.kind === 'reduce' || role.get(step.out) === 'element';
}

function* loads(step: Step): Generator<[value: number, access: Affine, lazy: boolean]> {
  if (step.kind === 'reduce') yield [step.input.value, step.input, false];
  else if (step.kind === 'scan') for (const input of step.inputs) yield [input.value, input, false];
  else if (step.kind === 'map')
    for (const operand of step.operands)
      if (operand.kind === 'load') yield [operand.value, operand, operand.lazy === true];
}

function rowCount(step: ReduceStep): number {
  return product(step.domain.filter((_, d) => !step.axes.includes(d)));
}

/** The refined domain, each dimension folded or not, the same for all reductions; undefined when they differ. */
function rowDimensions(
  elementShapes: readonly (readonly number[])[],
  rowShapes: readonly (readonly number[])[],
  reduces: readonly ReduceStep[],
): Dimension[] | undefined {
  const sizes = commonRefinement(elementShapes);
  if (!sizes) return undefined;
  const folds = reduces.map((step) => refinementOrigin(step.domain, sizes).map((d) => step.axes.includes(d)));
  if (folds.some((own) => own.some((folded, d) => folded !== folds[0]![d]))) return undefined;
  const dimensions = sizes.map((size, d) => ({ size, folded: folds[0]![d]! }));
  const outer = dimensions.filter((dimension) => !dimension.folded).map((dimension) => dimension.size);
  const refined = commonRefinement([outer, ...rowShapes]);
  if (!refined) return undefined;
  // Row shapes may cut outer dimensions finer than the elements do.
  const origin = refinementOrigin(outer, refined);
  let seen = 0;
  return dimensions.flatMap((dimension) => {
    if (dimension.folded) return [dimension];
    const own = seen++;
    return refined.filter((_, r) => origin[r] === own).map((size) => ({ size, folded: false }));
  });
}

/** Whether a step's access to a value of its own group lands on the element, or the row, being computed. */
function fits(
  step: WalkStep,
  value: number,
  access: Affine,
  role: ReadonlyMap<number, 'element' | 'row'>,
  dimensions: readonly Dimension[],
): boolean {
  const shape = step.kind === 'reduce' ? step.domain : step.shape;
  const consumer = isElementStep(step, role) ? 'element' : 'row';
  if (role.get(value) === consumer) return isContiguous(shape, access);
  if (consumer === 'row') return false;
  const refined = refineAffine(
    shape,
    access,
    dimensions.map((dimension) => dimension.size),
  );
  const outer = dimensions.flatMap((dimension, d) => (dimension.folded ? [] : [d]));
  const wanted = contiguousStrides(outer.map((d) => dimensions[d]!.size));
  return (
    access.offset === 0 &&
    dimensions.every((dimension, d) => !dimension.folded || refined.strides[d] === 0) &&
    outer.every((d, k) => refined.strides[d] === wanted[k])
  );
}

/** Rules beyond legality: what is not worth one kernel. */
function worthwhile(steps: readonly Step[], structure: Structure, fewRows: number): boolean {
  if (steps.length > maxSteps) return false;
  const hasVirtual = steps.some((step) => step.kind === 'map' && step.virtual);
  if (hasVirtual) {
    // A contraction or window: one fold, and maps of its results. An ordinary element here would be computed once a product.
    return (
      steps.filter((step) => step.kind === 'reduce').length === 1 &&
      steps
        .filter(isWalkStep)
        .every((step) => step.kind === 'reduce' || step.virtual || structure.role.get(step.out) === 'row')
    );
  }
  const rows = product(structure.dimensions.filter((d) => !d.folded).map((d) => d.size));
  const length = product(structure.dimensions.filter((d) => d.folded).map((d) => d.size));
  // Few rows are few blocks: a second loop over them would leave the GPU idle; another kernel spreads it out. Short ones are done before it has begun.
  if (length > 1 && rows < fewRows && rows * length > smallWork)
    return [...structure.loop.values()].every((loop) => loop === 0);
  return true;
}

export interface PartitionOptions {
  /** `operator`: no kernel spans two nodes of the graph. `fused`: as much as is legal and worthwhile. */
  fusion: 'operator' | 'fused';
  /** Rows below which a group keeps to a single loop. */
  fewRows: number;
}

/** Groups a program's steps, in an order that respects their dependences. */
export function partition(program: Program, options: PartitionOptions): Partition {
  let groups: { steps: Step[]; structure: Structure }[] = [];
  let pending: Step[] = [];
  for (const step of program.steps) {
    pending.push(step);
    // A virtual map is nothing without the reduction after it.
    if (step.kind === 'map' && step.virtual) continue;
    const bundle = pending;
    pending = [];
    const producers = producerGroups(groups, bundle, options);
    const choices = producers.length > 1 ? [producers, producers.slice(-1)] : [producers];
    let placed = false;
    for (const choice of choices) {
      if (choice.length === 0) continue;
      const joined = join(groups, choice, bundle, options);
      if (!joined) continue;
      groups = joined;
      placed = true;
      break;
    }
    if (placed) continue;
    const structure = analyse(bundle);
    if (!structure) throw new Error(`steps of node ${step.node} do not form a kernel`);
    groups.push({ steps: bundle, structure });
  }
  return { groups };
}

/** Indices of the groups that make what the bundle reads, ascending. */
function producerGroups(
  groups: readonly { steps: readonly Step[] }[],
  bundle: readonly Step[],
  options: PartitionOptions,
): number[] {
  const read = new Set(bundle.flatMap(stepInputs));
  const node = bundle[0]!.node;
  return groups.flatMap((group, index) => {
    if (options.fusion === 'operator' && group.steps.some((step) => step.node !== node)) return [];
    return group.steps.some((step) => stepOutputs(step).some((out) => read.has(out))) ? [index] : [];
  });
}

/** Moves the chosen groups into the last of them, with the bundle; undefined when that is illegal or not worthwhile. */
function join<G extends { steps: Step[]; structure: Structure }>(
  groups: readonly G[],
  chosen: readonly number[],
  bundle: readonly Step[],
  options: PartitionOptions,
): { steps: Step[]; structure: Structure }[] | undefined {
  const last = chosen.at(-1)!;
  const read = new Set(bundle.flatMap(stepInputs));
  // What the bundle reads must be known where the group stands, and nothing in between may need what moves later.
  for (let k = last + 1; k < groups.length; k++) {
    if (groups[k]!.steps.some((step) => stepOutputs(step).some((out) => read.has(out)))) return undefined;
  }
  for (const index of chosen.slice(0, -1)) {
    const made = new Set(groups[index]!.steps.flatMap(stepOutputs));
    for (let k = index + 1; k < last; k++) {
      if (!chosen.includes(k) && groups[k]!.steps.some((step) => stepInputs(step).some((value) => made.has(value))))
        return undefined;
    }
  }
  const steps = [...chosen.flatMap((index) => groups[index]!.steps), ...bundle];
  const structure = analyse(steps);
  if (!structure || !worthwhile(steps, structure, options.fewRows)) return undefined;
  return groups.flatMap((group, index) => {
    if (index === last) return [{ steps, structure }];
    return chosen.includes(index) ? [] : [group];
  });
}

/** Values of a group that other groups read or that the program returns: what its kernel must store. */
export function storedValues(program: Program, groups: readonly Group[], index: number): number[] {
  const outside = new Set<number>(program.outputs.map((output) => output.value));
  groups.forEach((group, k) => {
    if (k !== index) for (const step of group.steps) for (const value of stepInputs(step)) outside.add(value);
  });
  return groups[index]!.steps.flatMap(stepOutputs).filter((value) => outside.has(value));
}
