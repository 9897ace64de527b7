/**
 * A kernel for a row group: some lanes share a row, fold it in one loop or several, and write its results.
 *
 * One text serves the plain translation (one lane a row, nested loops) and the fast forms (a warp or a block a row, packs,
 * the row kept in registers or shared memory between loops, online softmax; a row too long for one block's registers kept in those of a cluster of blocks).
 */
import type { Group } from '../groups.ts';
import type { Program, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import {
  type Evaluation,
  loadVariable,
  planEvaluation,
  rowMaps,
  valueKey,
  writeElement,
  writePackLoads,
  writeStep,
} from './elements.ts';
import { type FoldText, foldText } from './fold-text.ts';
import { type Kernel, type Preamble, requirePack } from './kernel-context.ts';
import { type Kept, type Loop, planRows, type RowKnobs, type RowPlan } from './row-plan.ts';
import { slotsOf, teamBlocksPerSm, teamParts, teamScratch, writeTeamExchange, writeTeamPlaces } from './team.ts';
import type { Walk } from './walk.ts';
import { CodeWriter } from './writer.ts';

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
  const { team } = knobs;
  let grid: Kernel['grid'] = [Math.ceil(plan.rows / knobs.rows) * knobs.cluster * team, 1, 1];
  let shared = 0;
  if (knobs.lanes === 1) grid = writeSingleLane(body, plan, stored, knobs, grid);
  else if (team === 1) writeManyLanes(body, plan, stored, knobs);
  else {
    const reading = planRows(program, original, stored, { ...knobs, keep: 'reload' }, preamble);
    shared = writeTeam(body, plan, reading, stored, knobs);
  }

  const { text: tensors, pointers } = context.parameters(stored);
  const scratch = team > 1 ? teamScratch(plan, team) : [];
  const parameters = [tensors, ...scratch.map(({ type, name: own }) => `${type}* ${own}`)].join(', ');
  const threads = knobs.lanes * knobs.rows;
  const operators = [...new Set(context.group.steps.map((step) => program.nodes[step.node]?.op ?? 'copy'))].join(', ');
  const lanes = knobs.lanes === 1 ? 'one thread' : knobs.lanes === 32 ? 'one warp' : `${knobs.lanes} threads`;
  const blocks = `${knobs.cluster * team} blocks of ${threads} threads`;
  const share = team > 1 ? `${blocks} that wait for each other` : knobs.cluster > 1 ? `a cluster of ${blocks}` : lanes;
  const writer = new CodeWriter();
  writer.line(`// ${operators}: ${plan.rows} row${plan.rows === 1 ? '' : 's'} of ${plan.length}, ${share} a row.`);
  const cluster = knobs.cluster === 1 ? '' : `__cluster_dims__(${knobs.cluster}, 1, 1) `;
  const bounds = team > 1 ? `${threads}, ${teamBlocksPerSm(knobs)}` : `${threads}`;
  writer.open(`__global__ void ${cluster}__launch_bounds__(${bounds}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  const ofTeam = team > 1 ? { sharedBytes: shared, scratch, together: team } : {};
  return { name, text: writer.toString(), pointers, writes: stored, grid, block: threads, ...ofTeam };
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
  const { vector } = knobs;
  const lanes = knobs.lanes * knobs.cluster;
  const { indexType } = plan.context;
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
  const place = (k: string) => {
    if (knobs.keep === 'registers') return vector === 1 ? '[item]' : `[item * ${vector} + ${k}]`;
    return `[${knobs.rows === 1 ? '0' : 'slot'}][j${vector === 1 ? '' : ` + ${k}`}]`;
  };
  writeLaneItem(body, plan, loop, texts, vector, ({ variable }) => `${variable}_kept${place('k')}`, live);
  if (guarded) body.close();
  body.close();
}

/** What one lane does at column `j`: the pack there, or the element. `place`: where a value is kept. */
function writeLaneItem(
  body: CodeWriter,
  plan: RowPlan,
  loop: Loop,
  texts: readonly FoldText[],
  vector: number,
  place: (kept: Kept) => string,
  live: string | undefined,
): void {
  const { context, walk, accesses } = plan;
  for (const line of walk.columnDeclarations(accesses.all())) body.line(line);
  const element = (pack?: { width: number; k: string }) => {
    for (const use of loop.uses) body.line(`const ${use.type} ${use.variable} = ${place(use)};`);
    writeElement(body, context, accesses, walk, alongRow(walk, loop.evaluation), pack);
    for (const keep of loop.keeps) body.line(`${place(keep)} = ${keep.variable};`);
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
}

/**
 * A team's loops: what it keeps in registers, what in shared memory, and the rest, which is read anew each time. What was read last is likeliest still in the
 * L2, so every loop but the first begins with the rest, and goes the other way. `reading`: the same plan where nothing is kept. Gives the bytes of shared memory to ask for.
 */
function writeTeam(
  body: CodeWriter,
  plan: RowPlan,
  reading: RowPlan,
  stored: readonly number[],
  knobs: RowKnobs,
): number {
  const { context, walk, accesses } = plan;
  const { lanes, team, vector } = knobs;
  const slots = slotsOf(plan);
  const parts = teamParts(plan.length, slots.count, knobs);
  writeTeamPlaces(body, context.indexType, knobs);
  for (const line of walk.rowDeclarations(accesses.all())) body.line(line);
  const perSlot = (parts.kept - parts.inRegisters) * vector * lanes;
  if (parts.inRegisters > 0) {
    body.line(`// Of its ${parts.items} packs of the row a lane keeps ${parts.inRegisters} in registers.`);
    for (let slot = 0; slot < slots.count; slot++)
      body.line(`float in_registers_${slot + 1}[${parts.inRegisters * vector}];`);
  }
  if (perSlot > 0) {
    body.line(
      `// Of its ${parts.items} packs of the row a lane keeps ${parts.kept - parts.inRegisters} in shared memory.`,
    );
    body.line('extern __shared__ __align__(16) unsigned char room[];');
    for (let slot = 0; slot < slots.count; slot++)
      body.line(`float* const in_room_${slot + 1} = reinterpret_cast<float*>(room) + ${slot * perSlot} + threadIdx.x;`);
  }
  const pack = vector === 1 ? '' : ` * ${vector}`;
  const k = vector === 1 ? '' : ' + k';
  const part = (own: RowPlan, p: number, header: string, texts: readonly FoldText[], place: (kept: Kept) => string) => {
    body.open(header);
    body.line(`const ${context.indexType} j = (item * ${lanes * team} + lane)${pack};`);
    const guarded = plan.length % (lanes * team * vector) !== 0;
    if (guarded) body.open(`if (j < ${plan.length}) {`);
    writeLaneItem(body, own, own.loops[p]!, texts, vector, place, undefined);
    if (guarded) body.close();
    body.close();
  };
  const slot = ({ key }: Kept) => slots.of.get(key)! + 1;
  const folds = plan.loops.flatMap((loop) => loop.folds);
  const rowSteps = new RowSteps(plan, stored);
  const readingSteps = new RowSteps(reading, stored, rowSteps);
  plan.loops.forEach((loop, p) => {
    body.line(describeLoop(plan, loop, p));
    rowSteps.declare(body, loop.evaluation);
    readingSteps.declare(body, reading.loops[p]!.evaluation);
    const texts = declareFolds(body, plan, loop, true);
    const unroll = () => body.line(`#pragma unroll ${Math.max(2, knobs.unroll)}`);
    const writeKept = () => {
      if (parts.inRegisters > 0) {
        body.line('#pragma unroll');
        const header = `for (int item = 0; item < ${parts.inRegisters}; ++item) {`;
        part(plan, p, header, texts, (kept) => `in_registers_${slot(kept)}[item${pack}${k}]`);
      }
      if (perSlot === 0) return;
      unroll();
      const header = `for (int item = ${parts.inRegisters}; item < ${parts.kept}; ++item) {`;
      const first = parts.inRegisters === 0 ? 'item' : `(item - ${parts.inRegisters})`;
      const index = vector === 1 ? first : `(${first}${pack}${k})`;
      part(plan, p, header, texts, (kept) => `in_room_${slot(kept)}[${index} * ${lanes}]`);
    };
    const writeRest = () => {
      if (parts.kept === parts.items) return;
      unroll();
      const forward = `int item = ${parts.kept}; item < ${parts.items}; ++item`;
      const backward = `int item = ${parts.items - 1}; item >= ${parts.kept}; --item`;
      part(reading, p, `for (${p % 2 === 0 ? forward : backward}) {`, texts, () => {
        throw new Error('what is read again is not kept');
      });
    };
    if (p === 0) writeKept();
    writeRest();
    if (p > 0) writeKept();
    loop.folds.forEach((step, f) => {
      writeExchange(body, plan, step, texts[f]!, knobs);
      const value = context.value(step.outs[0]!).name;
      const names = { value, state: stateOf(plan, step), fold: folds.indexOf(step), folds: folds.length };
      writeTeamExchange(body, context.preamble, names, texts[f]!, team);
    });
    finishFolds(body, plan, loop, texts);
    rowSteps.writeAfter(body, p, 'lane == 0');
  });
  return parts.sharedBytes;
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
      const lane = knobs.cluster * knobs.team === 1 ? 'lane' : 'threadIdx.x';
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
  readonly #declared: Set<string>;

  /** `beside`: those of another plan of the same rows, in the same kernel. */
  constructor(plan: RowPlan, stored: readonly number[], beside?: RowSteps) {
    this.#plan = plan;
    this.#stored = stored;
    this.#declared = beside ? beside.#declared : new Set();
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
