/**
 * A kernel for a scan group: lines in order, each element the fold of those before it, with the maps before and after.
 *
 * Plain: one thread a line, element after element. Fast: some lanes a line, which take it in chunks; each lane folds its own
 * neighbours, lanes exchange totals by shuffles and warps through shared memory, in an order that is always the same.
 */
import type { Group } from '../groups.ts';
import type { MapStep, Program, ScanStep } from '../program.ts';
import { type ComputeType, mathFunction, storage } from '../scalar.ts';
import { product } from '../strides.ts';
import {
  Accesses,
  type Evaluation,
  loadKey,
  loadVariable,
  planEvaluation,
  valueKey,
  writeElement,
  writePackLoads,
} from './elements.ts';
import { type FoldText, foldText } from './fold-text.ts';
import { type Kernel, KernelContext, type Preamble, requirePack } from './kernel-context.ts';
import { Walk } from './walk.ts';
import { CodeWriter } from './writer.ts';

export interface ScanKnobs {
  /** Lanes that share a line: 1, or whole warps. */
  lanes: number;
  /** Lines a block works on at once. */
  rows: number;
  /** Neighbouring elements of a lane in a chunk. */
  items: number;
}

export interface ScanPlan {
  context: KernelContext;
  accesses: Accesses;
  walk: Walk;
  scan: ScanStep;
  rows: number;
  length: number;
  /** What the scan's input needs, and what the stored values need beyond it. */
  before: Evaluation;
  after: (known: boolean) => Evaluation;
}

export function planScan(program: Program, group: Group, stored: readonly number[], preamble: Preamble): ScanPlan {
  const context = new KernelContext(program, group, preamble);
  const accesses = new Accesses(context, stored);
  const { dimensions } = group.structure;
  const walk = new Walk(dimensions, accesses.all(), { row: 'row', column: 'j', indexType: context.indexType });
  const scan = group.steps.find((step): step is ScanStep => step.kind === 'scan')!;
  const makers = new Map(group.steps.flatMap((step) => (step.kind === 'map' ? [[step.out, step] as const] : [])));
  const size = (folded: boolean) => product(dimensions.filter((own) => own.folded === folded).map((own) => own.size));
  const wantedInputs = scan.inputs.map(({ value }, k) => {
    const maker = makers.get(value);
    return maker ? { step: maker } : { load: { value, access: accesses.operand(scan, k) } };
  });
  const before = planEvaluation(context, accesses, walk, wantedInputs, () => false);
  const result = valueKey(scan.outs[0]!);
  const madeBefore = new Set([
    ...before.loads.map((load) => loadKey(walk, load.value, load.access)),
    ...before.steps.map((step) => valueKey(step.out)),
  ]);
  const wanted = stored.flatMap((id): { step: MapStep }[] => (makers.has(id) ? [{ step: makers.get(id)! }] : []));
  const after = (known: boolean) =>
    planEvaluation(context, accesses, walk, wanted, (key) => key === result || (known && madeBefore.has(key)));
  return { ...{ context, accesses, walk, scan, before, after }, rows: size(false), length: size(true) };
}

/** Counts of neighbours that divide a line's innermost run, so that a lane's neighbours lie in one, and that one instruction reads. */
export function scanItems(plan: ScanPlan): number[] {
  const { context, walk, before, after } = plan;
  const run = walk.innerSizes.at(-1) ?? 1;
  const loads = [...before.loads, ...after(false).loads];
  return [1, 2, 4, 8].filter(
    (items) =>
      run % items === 0 &&
      loads.every(({ value, access }) => bytesOf(context, value) * items <= 16 || !walk.isPacked(access, items)),
  );
}

const bytesOf = (context: KernelContext, id: number): number => storage[context.value(id).dtype].bytes;

/** Shared memory of a scan kernel, bytes: a state a warp. */
export function scanSharedBytes(knobs: ScanKnobs): number {
  return knobs.lanes > 32 ? (knobs.lanes / 32) * knobs.rows * 16 : 0;
}

export function scanKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: ScanKnobs,
  preamble: Preamble,
): Kernel {
  const plan = planScan(program, group, stored, preamble);
  const { context, scan } = plan;
  const { lanes, rows } = knobs;
  const type = context.computeType(scan.inputs[0]!.value);
  const text = foldText(scan.fold, type, preamble, false);
  const body = new CodeWriter();
  if (lanes === 1) writeSerial(body, plan, stored, knobs, text);
  else writeChunks(body, plan, stored, knobs, text);

  const { text: parameters, pointers } = context.parameters(stored);
  const operators = [...new Set(group.steps.map((step) => program.nodes[step.node]?.op ?? 'copy'))].join(', ');
  const share = lanes === 1 ? 'one thread' : lanes === 32 ? 'one warp' : `${lanes} threads`;
  const writer = new CodeWriter();
  writer.line(`// ${operators}: ${plan.rows} line${plan.rows === 1 ? '' : 's'} of ${plan.length}, ${share} a line.`);
  writer.open(`__global__ void __launch_bounds__(${lanes * rows}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  const grid = [Math.ceil(plan.rows / rows), 1, 1] as const;
  return { name, text: writer.toString(), pointers, writes: stored, grid, block: lanes * rows };
}

/** The element that a running state stands for. */
function resultOf(scan: ScanStep, text: FoldText, state: string, type: ComputeType): string {
  const fields = text.fields(state);
  if (scan.fold === 'max_sum_exp') return `${fields[0]} + ${mathFunction('log', type)}(${fields[1]})`;
  return fields.at(-1)!;
}

/** The state of one element from the variables of the scan's inputs. */
function lifted(plan: ScanPlan, text: FoldText, column: string): string {
  const { context, walk, accesses, scan } = plan;
  const [x, y] = scan.inputs.map(({ value }, k) =>
    context.group.structure.role.has(value)
      ? context.variable(value)
      : loadVariable(context, walk, value, accesses.operand(scan, k)),
  );
  return text.lift(x!, column, y);
}

function writeResult(body: CodeWriter, plan: ScanPlan, text: FoldText, state: string): void {
  const { context, scan } = plan;
  const out = scan.outs[0]!;
  const type = context.computeType(scan.inputs[0]!.value);
  body.line(`const ${context.computeType(out)} ${context.variable(out)} = ${resultOf(scan, text, state, type)};`);
}

/** One thread a line. */
function writeSerial(
  body: CodeWriter,
  plan: ScanPlan,
  stored: readonly number[],
  knobs: ScanKnobs,
  text: FoldText,
): void {
  const { context, walk, accesses, scan } = plan;
  const { indexType } = context;
  body.line(`const ${indexType} row = static_cast<${indexType}>(blockIdx.x) * ${knobs.rows} + threadIdx.x;`);
  if (plan.rows % knobs.rows !== 0) body.line(`if (row >= ${plan.rows}) return;  // the last block is not full`);
  for (const line of walk.rowDeclarations(accesses.all())) body.line(line);
  body.line(`${text.state} total = ${text.neutral};  // the fold of all elements so far`);
  if (scan.reverse) body.open(`for (${indexType} j = ${plan.length - 1}; j >= 0; --j) {`);
  else body.open(`for (${indexType} j = 0; j < ${plan.length}; ++j) {`);
  for (const line of walk.columnDeclarations(accesses.all())) body.line(line);
  writeElement(body, context, accesses, walk, plan.before);
  body.line(`total = ${text.merge}(total, ${lifted(plan, text, 'j')});`);
  writeResult(body, plan, text, 'total');
  writeElement(body, context, accesses, walk, plan.after(true));
  for (const id of stored) writeStore(body, plan, id);
  body.close();
}

function writeStore(body: CodeWriter, { context, walk, accesses }: ScanPlan, id: number): void {
  const { name, dtype } = context.value(id);
  body.line(`${name}[${walk.index(accesses.store(id))}] = ${storage[dtype].store(context.variable(id))};`);
}

/** Lanes share a line, chunk after chunk. */
function writeChunks(
  body: CodeWriter,
  plan: ScanPlan,
  stored: readonly number[],
  knobs: ScanKnobs,
  text: FoldText,
): void {
  const { context, walk, accesses, scan } = plan;
  const { indexType } = context;
  const { lanes, rows, items } = knobs;
  const warps = lanes / 32;
  const chunk = lanes * items;
  const slot = rows === 1 ? '0' : 'slot';
  const full = plan.length % chunk === 0;
  const spare = plan.rows % rows !== 0;
  if (rows === 1) {
    body.line('const int lane = threadIdx.x;');
    body.line(`const ${indexType} row = blockIdx.x;`);
  } else {
    body.line(`const int lane = threadIdx.x % ${lanes};`);
    body.line(`const int slot = threadIdx.x / ${lanes};`);
    const own = `static_cast<${indexType}>(blockIdx.x) * ${rows} + slot`;
    if (spare) {
      body.line(`const ${indexType} own_row = ${own};`);
      body.line(`const bool live = own_row < ${plan.rows};`);
      body.line(`const ${indexType} row = live ? own_row : ${plan.rows - 1};  // spare lanes repeat the last line`);
    } else body.line(`const ${indexType} row = ${own};`);
  }
  for (const line of walk.rowDeclarations(accesses.all())) body.line(line);
  if (warps > 1) body.line(`__shared__ ${text.state} warp_totals[${rows}][${warps}];`);
  body.line(`${text.state} earlier = ${text.neutral};  // the fold of all chunks before`);
  body.open(`for (${indexType} first = 0; first < ${plan.length}; first += ${chunk}) {`);
  const at = `first + lane${items === 1 ? '' : ` * ${items}`}`;
  body.line(
    scan.reverse
      ? `const ${indexType} j = ${plan.length - items} - (${at});  // from the end`
      : `const ${indexType} j = ${at};`,
  );
  const inside = scan.reverse ? 'j >= 0' : `j < ${plan.length}`;
  body.line(`${text.state} upto[${items}];  // folds of the lane's own elements, up to each`);
  body.line(`${text.state} total = ${text.neutral};`);
  const guard = (condition: string | undefined, write: () => void) => {
    if (condition) body.open(`if (${condition}) {`);
    else body.open('{');
    for (const line of walk.columnDeclarations(accesses.all())) body.line(line);
    write();
    body.close();
  };
  guard(full ? undefined : inside, () =>
    writeOwn(body, plan, plan.before, items, () => {
      body.line(`total = ${text.merge}(total, ${lifted(plan, text, items === 1 ? 'j' : 'j + k')});`);
      body.line(`upto[${items === 1 ? '0' : 'k'}] = total;`);
    }),
  );
  body.line('// Lanes before this one in the warp, then warps before this one.');
  body.line(`${text.state} inclusive = total;`);
  body.line('#pragma unroll');
  body.open('for (int distance = 1; distance < 32; distance *= 2) {');
  body.line(
    `const ${text.state} lower = ${text.moved('inclusive', (value) => `__shfl_up_sync(0xffffffffu, ${value}, distance)`)};`,
  );
  body.line(`if (lane % 32 >= distance) inclusive = ${text.merge}(lower, inclusive);`);
  body.close();
  body.line(
    `${text.state} before = ${text.moved('inclusive', (value) => `__shfl_up_sync(0xffffffffu, ${value}, 1)`)};`,
  );
  body.line(`if (lane % 32 == 0) before = ${text.neutral};`);
  if (warps > 1) {
    body.line(`if (lane % 32 == 31) warp_totals[${slot}][lane / 32] = inclusive;`);
    body.line('__syncthreads();');
    body.line(`${text.state} prefix = earlier;`);
    body.open(`for (int w = 0; w < ${warps}; ++w) {`);
    body.line('if (w == lane / 32) prefix = earlier;');
    body.line(`earlier = ${text.merge}(earlier, warp_totals[${slot}][w]);`);
    body.close();
    body.line('__syncthreads();  // before the next chunk writes its totals');
    body.line(`before = ${text.merge}(prefix, before);`);
  } else {
    body.line(`before = ${text.merge}(earlier, before);`);
    body.line(
      `earlier = ${text.merge}(earlier, ${text.moved('inclusive', (value) => `__shfl_sync(0xffffffffu, ${value}, 31)`)});`,
    );
  }
  const conditions = [...(full ? [] : [inside]), ...(spare ? ['live'] : [])];
  guard(conditions.length > 0 ? conditions.join(' && ') : undefined, () => {
    writeOwn(
      body,
      plan,
      plan.after(false),
      items,
      () => {
        for (const id of stored) {
          const { name, dtype } = context.value(id);
          if (packs(plan, id, items)) body.line(`${name}_pack.at[k] = ${storage[dtype].store(context.variable(id))};`);
          else
            body.line(
              `${name}[${walk.index(accesses.store(id), items === 1 ? undefined : 'k')}] = ${storage[dtype].store(context.variable(id))};`,
            );
        }
      },
      {
        first: () => {
          for (const id of stored)
            if (packs(plan, id, items)) body.line(`${packType(context, id, items)} ${context.value(id).name}_pack;`);
        },
        result: () => {
          body.line(`const ${text.state} state = ${text.merge}(before, upto[${items === 1 ? '0' : 'k'}]);`);
          writeResult(body, plan, text, 'state');
        },
        last: () => {
          for (const id of stored) {
            const { name } = context.value(id);
            const type = packType(context, id, items);
            if (packs(plan, id, items))
              body.line(`*reinterpret_cast<${type}*>(${name} + ${walk.index(accesses.store(id))}) = ${name}_pack;`);
          }
        },
      },
    );
  });
  body.close();
}

function packType(context: KernelContext, id: number, width: number): string {
  return `Pack<${storage[context.value(id).dtype].type}, ${width}>`;
}

/** Whether a lane's neighbours of a stored value are written by one instruction. */
function packs({ context, walk, accesses }: ScanPlan, id: number, items: number): boolean {
  return items > 1 && bytesOf(context, id) * items <= 16 && walk.isPacked(accesses.store(id), items);
}

/** A lane's own elements, in the scan's order: reads and maps, then `each`. `around` is written about the loop. */
function writeOwn(
  body: CodeWriter,
  plan: ScanPlan,
  evaluation: Evaluation,
  items: number,
  each: () => void,
  around: { first?: () => void; result?: () => void; last?: () => void } = {},
): void {
  const { context, walk, accesses, scan } = plan;
  if (items === 1) {
    around.result?.();
    writeElement(body, context, accesses, walk, evaluation);
    each();
    return;
  }
  requirePack(context.preamble);
  around.first?.();
  writePackLoads(body, context, walk, evaluation.loads, items);
  body.line('#pragma unroll');
  body.open(scan.reverse ? `for (int k = ${items - 1}; k >= 0; --k) {` : `for (int k = 0; k < ${items}; ++k) {`);
  around.result?.();
  writeElement(body, context, accesses, walk, evaluation, { width: items, k: 'k' });
  each();
  body.close();
  around.last?.();
}
