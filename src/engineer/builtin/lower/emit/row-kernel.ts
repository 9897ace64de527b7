/**
 * A kernel for a row group: some lanes share a row, fold it in one loop or several, and write its results.
 *
 * One text serves the plain translation (one lane a row, nested loops) and the fast forms (a warp or a block a row, packs,
 * the row kept in registers or shared memory between loops, online softmax; a row too long for one block's registers kept in those of a cluster of blocks).
 */
import { analyse, type Group } from '../groups.ts';
import type { MapStep, Program, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import { product } from '../strides.ts';
import {
  Accesses,
  type Evaluation,
  loadKey,
  loadVariable,
  planEvaluation,
  rowMaps,
  valueKey,
  writeElement,
  writePackLoads,
  writeStep,
} from './elements.ts';
import { type FoldText, foldText } from './fold-text.ts';
import { type Kernel, KernelContext, type Preamble, requirePack } from './kernel-context.ts';
import { Walk } from './walk.ts';
import { CodeWriter } from './writer.ts';

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
}

/** A value kept between loops. */
interface Kept {
  key: string;
  variable: string;
  type: string;
}

interface Loop {
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

/** Shared memory of a row kernel, bytes. */
export function rowSharedBytes(plan: RowPlan, knobs: RowKnobs): number {
  const kept = knobs.keep === 'shared' ? plan.kept * knobs.rows * plan.length * 8 : 0;
  const folds = plan.loops.reduce((count, loop) => count + loop.folds.length, 0);
  const parts = knobs.combine === 'shared' ? knobs.lanes : Math.ceil(knobs.lanes / 32);
  const ofCluster = knobs.cluster > 1 ? folds * 16 : 0;
  return kept + ofCluster + (knobs.lanes > 1 ? folds * parts * knobs.rows * 16 : 0);
}

export function rowKernel(
  name: string,
  program: Program,
  original: Group,
  stored: readonly number[],
  knobs: RowKnobs,
  preamble: Preamble,
): Kernel {
  const plan = planRows(program, original, stored, knobs, preamble);
  const { context } = plan;
  const body = new CodeWriter();
  let grid: Kernel['grid'] = [Math.ceil(plan.rows / knobs.rows) * knobs.cluster, 1, 1];
  if (knobs.lanes === 1) grid = writeSingleLane(body, plan, stored, knobs, grid);
  else writeManyLanes(body, plan, stored, knobs);

  const { text: parameters, pointers } = context.parameters(stored);
  const threads = knobs.lanes * knobs.rows;
  const operators = [...new Set(context.group.steps.map((step) => program.nodes[step.node]?.op ?? 'copy'))].join(', ');
  const lanes = knobs.lanes === 1 ? 'one thread' : knobs.lanes === 32 ? 'one warp' : `${knobs.lanes} threads`;
  const share = knobs.cluster === 1 ? lanes : `a cluster of ${knobs.cluster} blocks of ${threads} threads`;
  const writer = new CodeWriter();
  writer.line(`// ${operators}: ${plan.rows} row${plan.rows === 1 ? '' : 's'} of ${plan.length}, ${share} a row.`);
  const cluster = knobs.cluster === 1 ? '' : `__cluster_dims__(${knobs.cluster}, 1, 1) `;
  writer.open(`__global__ void ${cluster}__launch_bounds__(${threads}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  return { name, text: writer.toString(), pointers, writes: stored, grid, block: threads };
}

/** Iterations of the loops over a row up to which all of them are written out, when any are. */
const mostWrittenOut = 64;

/** One thread a row: nested loops over the folded dimensions, nothing shared. Gives the grid. */
function writeSingleLane(
  body: CodeWriter,
  plan: RowPlan,
  stored: readonly number[],
  knobs: RowKnobs,
  line: Kernel['grid'],
): Kernel['grid'] {
  const { context, walk, accesses } = plan;
  const { indexType } = context;
  let grid = line;
  if (knobs.patch > 1) {
    const patch = walk.patch(knobs.patch, knobs.rows / knobs.patch);
    body.line(`// The block takes a patch of ${knobs.patch} x ${knobs.rows / knobs.patch} rows.`);
    for (const one of patch.lines) body.line(one);
    if (patch.outside) body.line(`if (${patch.outside}) return;`);
    grid = patch.grid;
  } else {
    body.line(`const ${indexType} row = static_cast<${indexType}>(blockIdx.x) * ${knobs.rows} + threadIdx.x;`);
    if (plan.rows % knobs.rows !== 0) body.line(`if (row >= ${plan.rows}) return;  // the last block is not full`);
    for (const one of walk.rowDeclarations(accesses.all())) body.line(one);
  }
  const rowSteps = new RowSteps(plan, stored);
  plan.loops.forEach((loop, p) => {
    body.line(describeLoop(plan, loop, p));
    rowSteps.declare(body, loop.evaluation);
    const texts = declareFolds(body, plan, loop, false);
    const headers = walk.nestedLoops();
    headers.forEach((header, d) => {
      if (knobs.unroll > 1 && plan.length <= mostWrittenOut) body.line('#pragma unroll');
      else if (d === headers.length - 1 && knobs.unroll > 1) body.line(`#pragma unroll ${knobs.unroll}`);
      body.open(header);
    });
    if (headers.length === 0) body.open('{');
    writeElement(body, context, accesses, walk, alongRow(walk, loop.evaluation));
    writeFolding(body, plan, loop, texts, () => walk.linearColumn());
    for (const id of loop.stores) writeStore(body, plan, id);
    for (let d = 0; d < Math.max(1, headers.length); d++) body.close();
    finishFolds(body, plan, loop, texts);
    rowSteps.writeAfter(body, p, undefined);
  });
  return grid;
}

/** Several lanes a row: strided loop, exchange of partial folds, everything else as in the single lane. */
function writeManyLanes(body: CodeWriter, plan: RowPlan, stored: readonly number[], knobs: RowKnobs): void {
  const { context, walk, accesses } = plan;
  const { indexType } = context;
  const { lanes, rows, order, cluster } = knobs;
  if (cluster > 1) {
    body.line('const auto cluster = cooperative_groups::this_cluster();');
    body.line(`const int lane = cluster.block_rank() * ${lanes} + threadIdx.x;  // of all that share the row`);
    body.line(`const ${indexType} row = blockIdx.x / ${cluster};`);
  } else if (rows === 1) {
    body.line('const int lane = threadIdx.x;');
    body.line(`const ${indexType} row = blockIdx.x;`);
  } else {
    const [fast, slow] = order === 'lanes' ? ['lane', 'slot'] : ['slot', 'lane'];
    body.line(`const int ${fast} = threadIdx.x % ${order === 'lanes' ? lanes : rows};`);
    body.line(
      `const int ${slow} = threadIdx.x / ${order === 'lanes' ? lanes : rows};${order === 'lanes' ? '' : '  // neighbouring threads take neighbouring rows: rows lie across memory'}`,
    );
    if (plan.rows % rows === 0)
      body.line(`const ${indexType} row = static_cast<${indexType}>(blockIdx.x) * ${rows} + slot;`);
    else {
      body.line(`const ${indexType} own_row = static_cast<${indexType}>(blockIdx.x) * ${rows} + slot;`);
      body.line(`const bool live = own_row < ${plan.rows};`);
      body.line(
        `const ${indexType} row = live ? own_row : ${plan.rows - 1};  // spare lanes repeat the last row, so that all reach every exchange`,
      );
    }
  }
  const live = rows > 1 && plan.rows % rows !== 0 ? 'live' : undefined;
  for (const line of walk.rowDeclarations(accesses.all())) body.line(line);
  const kept = new Map(plan.loops.flatMap((loop) => loop.keeps).map((own) => [own.key, own]));
  const items = Math.ceil(plan.length / (lanes * cluster * knobs.vector));
  if (kept.size > 0)
    body.line(`// The row stays in ${knobs.keep === 'shared' ? 'shared memory' : 'registers'} between loops.`);
  for (const own of kept.values()) {
    if (knobs.keep === 'registers') body.line(`${own.type} ${own.variable}_kept[${items * knobs.vector}];`);
    else body.line(`__shared__ ${own.type} ${own.variable}_kept[${rows}][${plan.length}];`);
  }
  const rowSteps = new RowSteps(plan, stored);
  plan.loops.forEach((loop, p) => {
    body.line(describeLoop(plan, loop, p));
    rowSteps.declare(body, loop.evaluation);
    const texts = declareFolds(body, plan, loop, knobs.combine === 'shuffle');
    writeLaneLoop(body, plan, loop, texts, knobs, items, live);
    loop.folds.forEach((step, k) => {
      writeExchange(body, plan, step, texts[k]!, knobs);
    });
    finishFolds(body, plan, loop, texts);
    rowSteps.writeAfter(body, p, live ? `${live} && lane == 0` : 'lane == 0');
  });
  if (cluster > 1) body.line('cluster.sync();  // no block ends while another may read its folds');
}

/** The strided loop of one lane over its part of the row. */
function writeLaneLoop(
  body: CodeWriter,
  plan: RowPlan,
  loop: Loop,
  texts: readonly FoldText[],
  knobs: RowKnobs,
  items: number,
  live: string | undefined,
): void {
  const { context, walk, accesses } = plan;
  const { vector } = knobs;
  const lanes = knobs.lanes * knobs.cluster;
  const { indexType } = context;
  const inRegisters = knobs.keep === 'registers' && (loop.keeps.length > 0 || loop.uses.length > 0);
  const scaled = vector === 1 ? '' : ` * ${vector}`;
  let guarded = false;
  if (inRegisters) {
    body.line('#pragma unroll');
    body.open(`for (int item = 0; item < ${items}; ++item) {`);
    body.line(`const ${indexType} j = (item * ${lanes} + lane)${scaled};`);
    guarded = plan.length % (lanes * vector) !== 0;
    if (guarded) body.open(`if (j < ${plan.length}) {`);
  } else {
    if (knobs.unroll > 1) body.line(`#pragma unroll ${knobs.unroll}`);
    body.open(`for (${indexType} j = lane${scaled}; j < ${plan.length}; j += ${lanes * vector}) {`);
  }
  for (const line of walk.columnDeclarations(accesses.all())) body.line(line);
  const place = (k: string) => {
    if (knobs.keep === 'registers') return vector === 1 ? '[item]' : `[item * ${vector} + ${k}]`;
    return `[${knobs.rows === 1 ? '0' : 'slot'}][j${vector === 1 ? '' : ` + ${k}`}]`;
  };
  const element = (pack?: { width: number; k: string }) => {
    for (const use of loop.uses) body.line(`const ${use.type} ${use.variable} = ${use.variable}_kept${place('k')};`);
    writeElement(body, context, accesses, walk, alongRow(walk, loop.evaluation), pack);
    for (const keep of loop.keeps) body.line(`${keep.variable}_kept${place('k')} = ${keep.variable};`);
    writeFolding(body, plan, loop, texts, () => (pack ? 'j + k' : 'j'));
  };
  if (vector === 1) {
    element();
    const storing = loop.stores.length > 0 && live;
    if (storing) body.open(`if (${live}) {`);
    for (const id of loop.stores) writeStore(body, plan, id);
    if (storing) body.close();
  } else {
    requirePack(context.preamble);
    writePackLoads(body, context, walk, alongRow(walk, loop.evaluation).loads, vector);
    const packType = (id: number) => `Pack<${storage[context.value(id).dtype].type}, ${vector}>`;
    for (const id of loop.stores) body.line(`${packType(id)} ${context.value(id).name}_pack;`);
    body.line('#pragma unroll');
    body.open(`for (int k = 0; k < ${vector}; ++k) {`);
    element({ width: vector, k: 'k' });
    for (const id of loop.stores) {
      body.line(
        `${context.value(id).name}_pack.at[k] = ${storage[context.value(id).dtype].store(context.variable(id))};`,
      );
    }
    body.close();
    for (const id of loop.stores) {
      const { name } = context.value(id);
      const guard = live ? `if (${live}) ` : '';
      body.line(
        `${guard}*reinterpret_cast<${packType(id)}*>(${name} + ${walk.index(accesses.store(id))}) = ${name}_pack;`,
      );
    }
  }
  if (guarded) body.close();
  body.close();
}

/** Says what a loop over the row is for. */
function describeLoop(plan: RowPlan, loop: Loop, p: number): string {
  const names = (ids: readonly number[]) => ids.map((id) => plan.context.value(id).name).join(', ');
  const parts: string[] = [];
  if (loop.folds.length > 0) parts.push(`fold ${names(loop.folds.flatMap((step) => step.outs))}`);
  if (loop.stores.length > 0) parts.push(`write ${names(loop.stores)}`);
  return `// Loop ${p + 1} over the row: ${parts.join('; ')}.`;
}

/** The part of an evaluation that changes along the row; the rest stands before the loop. */
function alongRow(walk: Walk, evaluation: Evaluation): Evaluation {
  return { steps: evaluation.steps, loads: evaluation.loads.filter((load) => !walk.isRowwise(load.access)) };
}

/** The variable of a fold's state. */
function stateOf(plan: RowPlan, step: ReduceStep): string {
  return `${plan.context.value(step.outs[0]!).name}_state`;
}

function declareFolds(body: CodeWriter, plan: RowPlan, loop: Loop, shuffles: boolean): FoldText[] {
  return loop.folds.map((step) => {
    const { context } = plan;
    const text = foldText(step.fold, context.computeType(step.input.value), context.preamble, shuffles);
    body.line(`${text.state} ${stateOf(plan, step)} = ${text.neutral};`);
    return text;
  });
}

/** Each element enters its folds. */
function writeFolding(
  body: CodeWriter,
  plan: RowPlan,
  loop: Loop,
  texts: readonly FoldText[],
  column: () => string,
): void {
  const { context, accesses, walk } = plan;
  loop.folds.forEach((step, k) => {
    const text = texts[k]!;
    const own = context.group.structure.role.has(step.input.value);
    const x = own
      ? context.variable(step.input.value)
      : loadVariable(context, walk, step.input.value, accesses.operand(step, 0));
    const state = stateOf(plan, step);
    body.line(`${state} = ${text.merge}(${state}, ${text.lift(x, column())});`);
  });
}

/** Lanes of a row exchange their states; all end with the fold of the whole row. Sums are taken in a fixed order. */
function writeExchange(body: CodeWriter, plan: RowPlan, step: ReduceStep, text: FoldText, knobs: RowKnobs): void {
  const { lanes, rows } = knobs;
  const state = stateOf(plan, step);
  const parts = `${plan.context.value(step.outs[0]!).name}_parts`;
  const slot = rows === 1 ? '0' : 'slot';
  if (knobs.combine === 'shuffle') {
    body.line(`${state} = ${text.acrossLanes}<${Math.min(lanes, 32)}>(${state});`);
    const warps = lanes / 32;
    if (warps > 1) {
      const lane = knobs.cluster === 1 ? 'lane' : 'threadIdx.x';
      body.line(`__shared__ ${text.state} ${parts}[${rows}][${warps}];  // one state a warp`);
      body.line(`if (${lane} % 32 == 0) ${parts}[${slot}][${lane} / 32] = ${state};`);
      body.line('__syncthreads();');
      body.line(`${state} = ${text.acrossLanes}<${warps}>(${parts}[${slot}][${lane} % ${warps}]);`);
    }
    if (knobs.cluster > 1) writeClusterExchange(body, plan, step, text, knobs.cluster);
    return;
  }
  body.line(`__shared__ ${text.state} ${parts}[${lanes}][${rows}];`);
  body.line(`${parts}[lane][${slot}] = ${state};`);
  body.open(`for (int half = ${lanes / 2}; half > 0; half /= 2) {`);
  body.line('__syncthreads();');
  body.line(
    `if (lane < half) ${parts}[lane][${slot}] = ${text.merge}(${parts}[lane][${slot}], ${parts}[lane + half][${slot}]);`,
  );
  body.close();
  body.line('__syncthreads();');
  body.line(`${state} = ${parts}[0][${slot}];`);
}

/** The blocks of a cluster exchange their states, each of which all threads of its block have; all end with the fold of the whole row. */
function writeClusterExchange(
  body: CodeWriter,
  plan: RowPlan,
  step: ReduceStep,
  text: FoldText,
  cluster: number,
): void {
  const state = stateOf(plan, step);
  const own = `${plan.context.value(step.outs[0]!).name}_of_block`;
  const of = (rank: string) => `*cluster.map_shared_rank(&${own}, ${rank})`;
  body.line(`__shared__ ${text.state} ${own};`);
  body.line(`if (threadIdx.x == 0) ${own} = ${state};`);
  body.line('cluster.sync();');
  body.line(`${state} = ${of('0')};`);
  body.line(`for (int rank = 1; rank < ${cluster}; ++rank) ${state} = ${text.merge}(${state}, ${of('rank')});`);
}

/** Results of a loop's folds become row values. */
function finishFolds(body: CodeWriter, plan: RowPlan, loop: Loop, texts: readonly FoldText[]): void {
  loop.folds.forEach((step, k) => {
    const fields = texts[k]!.fields(stateOf(plan, step));
    step.outs.forEach((out, f) => {
      body.line(`const ${plan.context.computeType(out)} ${plan.context.variable(out)} = ${fields[f]};`);
    });
  });
}

function writeStore(body: CodeWriter, plan: RowPlan, id: number): void {
  const { context, walk, accesses } = plan;
  const { name, dtype } = context.value(id);
  body.line(`${name}[${walk.index(accesses.store(id))}] = ${storage[dtype].store(context.variable(id))};`);
}

/** Row values made by maps, and the stores of row values, each after the loop that they wait for. */
class RowSteps {
  readonly #plan: RowPlan;
  readonly #stored: readonly number[];
  readonly #declared = new Set<string>();

  constructor(plan: RowPlan, stored: readonly number[]) {
    this.#plan = plan;
    this.#stored = stored;
  }

  /** Reads that are the same along the whole row are made once, before the loop. */
  declare(body: CodeWriter, evaluation: Evaluation): void {
    const { context, walk } = this.#plan;
    for (const load of evaluation.loads) {
      if (!walk.isRowwise(load.access) || this.#declared.has(load.variable)) continue;
      this.#declared.add(load.variable);
      const text = context.read(load.value, walk.index(load.access));
      body.line(`const ${context.computeType(load.value)} ${load.variable} = ${text};`);
    }
  }

  /** `only`: the condition under which one lane stores; undefined when each lane owns its row. */
  writeAfter(body: CodeWriter, loop: number, only: string | undefined): void {
    const { context, accesses, walk } = this.#plan;
    const { role, loop: loopOf } = context.group.structure;
    for (const step of rowMaps(context)) {
      if (loopOf.get(step.out) !== loop) continue;
      const loads = planEvaluation(
        context,
        accesses,
        walk,
        [{ step }],
        (key) => key.startsWith('value:') && key !== valueKey(step.out),
      ).loads;
      this.declare(body, { loads, steps: [] });
      writeStep(body, context, accesses, walk, step);
    }
    const stores = this.#stored.filter((id) => role.get(id) === 'row' && loopOf.get(id) === loop);
    if (stores.length === 0) return;
    if (only) body.open(`if (${only}) {`);
    for (const id of stores) writeStore(body, this.#plan, id);
    if (only) body.close();
  }
}
