/**
 * What a row kernel does, whatever its threads: the loops over a row, what each reads, computes, folds and stores, and what stays for later ones.
 */
import { analyse, type Group } from '../groups.ts';
import type { MapStep, Program, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import { product } from '../strides.ts';
import { Accesses, type Evaluation, loadKey, planEvaluation, valueKey } from './elements.ts';
import { KernelContext, type Preamble } from './kernel-context.ts';
import { Walk } from './walk.ts';

export interface RowKnobs {
  /** Lanes that share a row: a power of two, 1 to 1024. */
  lanes: number;
  /** Rows a block works on at once. */
  rows: number;
  /** Which of the two neighbouring threads share: `lanes` for rows that lie along memory, `rows` for rows across it. */
  order: 'lanes' | 'rows';
  /** Neighbouring elements read and written by one instruction. */
  vector: number;
  /** Where elements stay between loops over the row: nowhere (read again), in registers, in shared memory. */
  keep: 'reload' | 'registers' | 'shared';
  /** How lanes exchange their partial folds. */
  combine: 'shuffle' | 'shared';
  /** Maximum and sum of exponentials in one loop. */
  softmax: 'two-pass' | 'online';
  unroll: number;
  /** One lane a row: rows of the patch that a block takes of the last two outer dimensions, so that windows that overlap share its cache. 1: a line. */
  patch: number;
  /** Blocks that share a row and exchange its folds through each other's shared memory: a cluster (sm_90 and later). 1: a block has rows of its own. */
  cluster: number;
  /** Blocks that share a row and exchange its folds through global memory, where they wait for each other. 1: none. */
  team: number;
  /** Shared memory in which a block of a team keeps its part of the row, beside registers, KiB. */
  room: number;
}

/** A value kept between loops. */
export interface Kept {
  key: string;
  variable: string;
  type: string;
}

export interface Loop {
  folds: readonly ReduceStep[];
  stores: readonly number[];
  evaluation: Evaluation;
  /** Kept by earlier loops, used here. */
  uses: readonly Kept[];
  /** Computed here, kept for later loops. */
  keeps: readonly Kept[];
}

export interface RowPlan {
  context: KernelContext;
  accesses: Accesses;
  walk: Walk;
  rows: number;
  length: number;
  loops: readonly Loop[];
  /** Values kept between loops in all, and the most that are needed after any one loop: registers of the others are free again. */
  kept: number;
  keptAtOnce: number;
}

/** Whether a group holds a maximum and the sum of exponentials shifted by it, so that one loop can do both. */
export function hasOnlineForm(group: Group): boolean {
  return onlineSteps(group) !== undefined;
}

/** The group's steps with max and sum(exp(x - max)) joined into one fold. */
function onlineSteps(group: Group): Group['steps'] | undefined {
  const makers = new Map<number, MapStep>();
  for (const step of group.steps) if (step.kind === 'map') makers.set(step.out, step);
  for (const sum of group.steps) {
    if (sum.kind !== 'reduce' || sum.fold !== 'sum') continue;
    const exponential = makers.get(sum.input.value);
    if (exponential?.label !== 'exp' || exponential.operands[0]?.kind !== 'load') continue;
    const difference = makers.get(exponential.operands[0].value);
    if (difference?.label !== 'sub' || difference.operands.length !== 2) continue;
    const [x, peak] = difference.operands;
    if (x?.kind !== 'load' || peak?.kind !== 'load') continue;
    const max = group.steps.find(
      (step): step is ReduceStep => step.kind === 'reduce' && step.fold === 'max' && step.outs[0] === peak.value,
    );
    if (!max || max.input.value !== x.value || max.input.offset !== x.offset) continue;
    if (String(max.domain) !== String(difference.shape) || String(max.input.strides) !== String(x.strides)) continue;
    const joint: ReduceStep = { ...max, outs: [max.outs[0]!, sum.outs[0]!], fold: 'max_sum_exp' };
    return group.steps.flatMap((step) => (step === max ? [joint] : step === sum ? [] : [step]));
  }
  return undefined;
}

/** The group as it will be emitted with this choice of softmax. */
function formOf(group: Group, softmax: RowKnobs['softmax']): Group {
  const steps = softmax === 'online' ? onlineSteps(group) : undefined;
  if (!steps) return group;
  const structure = analyse(steps);
  return structure ? { steps, structure } : group;
}

/** Everything about a row group that does not depend on how threads are arranged. */
export function planRows(
  program: Program,
  original: Group,
  stored: readonly number[],
  knobs: Pick<RowKnobs, 'keep' | 'softmax'>,
  preamble: Preamble,
): RowPlan {
  const group = formOf(original, knobs.softmax);
  const { structure } = group;
  const context = new KernelContext(program, group, preamble);
  const accesses = new Accesses(context, stored);
  const walk = new Walk(structure.dimensions, accesses.all(), {
    row: 'row',
    column: 'j',
    indexType: context.indexType,
  });
  const size = (folded: boolean) =>
    product(structure.dimensions.filter((dimension) => dimension.folded === folded).map((dimension) => dimension.size));
  const reduces = group.steps.filter((step): step is ReduceStep => step.kind === 'reduce');
  const makers = new Map<number, MapStep>();
  for (const step of group.steps) if (step.kind === 'map') makers.set(step.out, step);
  const storedElements = stored.filter((id) => structure.role.get(id) === 'element');
  const last = Math.max(
    ...reduces.map((step) => structure.loop.get(step.outs[0]!)!),
    ...storedElements.map((id) => structure.loop.get(id)!),
  );

  const madeIn = new Map<string, { loop: number; kept: Kept }>();
  const keptKeys = new Map<string, Kept>();
  const loops: { folds: ReduceStep[]; stores: number[]; evaluation: Evaluation; uses: Kept[]; made: Kept[] }[] = [];
  for (let p = 0; p <= last; p++) {
    const foldsHere = reduces.filter((step) => structure.loop.get(step.outs[0]!) === p);
    const stores = storedElements.filter((id) => structure.loop.get(id) === p);
    const wanted = [
      ...foldsHere.flatMap((step) => {
        // In rows of one element a fold may take what an earlier one made of the row.
        if (structure.role.get(step.input.value) === 'row') return [];
        const maker = makers.get(step.input.value);
        return maker ? { step: maker } : { load: { value: step.input.value, access: accesses.operand(step, 0) } };
      }),
      ...stores.map((id) => ({ step: makers.get(id)! })),
    ];
    const uses = new Map<string, Kept>();
    const evaluation = planEvaluation(context, accesses, walk, wanted, (key) => {
      const made = knobs.keep === 'reload' ? undefined : madeIn.get(key);
      if (!made) return false;
      uses.set(key, made.kept);
      keptKeys.set(key, made.kept);
      return true;
    });
    const made = madeBy(evaluation, context, walk);
    for (const kept of made) madeIn.set(kept.key, { loop: p, kept });
    loops.push({ folds: foldsHere, stores, evaluation, uses: [...uses.values()], made });
  }
  return {
    context,
    accesses,
    walk,
    rows: size(false),
    length: size(true),
    kept: keptKeys.size,
    keptAtOnce: mostKept(loops, madeIn),
    loops: loops.map(({ made, ...loop }) => ({ ...loop, keeps: made.filter((kept) => keptKeys.has(kept.key)) })),
  };
}

/** Elements that a loop reads or computes, which a later one may use again. */
function madeBy({ loads, steps }: Evaluation, context: KernelContext, walk: Walk): Kept[] {
  const read = loads
    .filter(({ access }) => !walk.isRowwise(access))
    .map(({ value, access, variable }) => ({
      ...{ key: loadKey(walk, value, access), variable, type: context.computeType(value) },
    }));
  const computed = steps.map(({ out }) => ({
    ...{ key: valueKey(out), variable: context.variable(out), type: context.computeType(out) },
  }));
  return [...read, ...computed];
}

/** The most values made so far that any one loop leaves to later ones. `madeIn`: the loop that makes each, by its key. */
function mostKept(
  loops: readonly { readonly uses: readonly Kept[] }[],
  madeIn: ReadonlyMap<string, { readonly loop: number }>,
): number {
  const lastUse = (key: string) => loops.findLastIndex(({ uses }) => uses.some((use) => use.key === key));
  const spans = [...madeIn].map(([key, { loop }]) => [loop, lastUse(key)] as const);
  return Math.max(...loops.map((_, after) => spans.filter(([made, last]) => made <= after && last > after).length));
}

/** Pack widths that divide the innermost run of a row and that every store along it can use. */
export function rowVectorWidths(plan: RowPlan, stored: readonly number[]): number[] {
  const { context, accesses, walk } = plan;
  const elements = stored.filter((id) => context.group.structure.role.get(id) === 'element');
  const run = walk.innerSizes.at(-1) ?? 1;
  const packable = plan.loops.flatMap((loop) => loop.evaluation.loads).filter((load) => context.isMemory(load.value));
  return [1, 2, 4, 8].filter((width) => {
    if (width === 1) return true;
    const fitsRegister = (id: number) => storage[context.value(id).dtype].bytes * width <= 16;
    return (
      run % width === 0 &&
      elements.every((id) => fitsRegister(id) && walk.isPacked(accesses.store(id), width)) &&
      packable.some((load) => fitsRegister(load.value) && walk.isPacked(load.access, width)) &&
      packable.every((load) => fitsRegister(load.value) || !walk.isPacked(load.access, width))
    );
  });
}

/** Shared memory that a row kernel declares, bytes; what a team's launch asks for comes on top. */
export function rowSharedBytes(plan: RowPlan, knobs: RowKnobs): number {
  const kept = knobs.keep === 'shared' && knobs.team === 1 ? plan.kept * knobs.rows * plan.length * 8 : 0;
  const folds = plan.loops.reduce((count, loop) => count + loop.folds.length, 0);
  const parts = knobs.combine === 'shared' ? knobs.lanes : Math.ceil(knobs.lanes / 32);
  const ofCluster = knobs.cluster * knobs.team > 1 ? (folds + 1) * 16 : 0;
  return kept + ofCluster + (knobs.lanes > 1 ? folds * parts * knobs.rows * 16 : 0);
}
