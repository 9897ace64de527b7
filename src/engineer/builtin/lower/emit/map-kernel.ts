/** A kernel for a map group: every thread computes some elements of one domain. */
import type { Group } from '../groups.ts';
import type { MapStep, Program } from '../program.ts';
import { storage } from '../scalar.ts';
import { product } from '../strides.ts';
import { Accesses, planEvaluation, writeElement, writePackLoads } from './elements.ts';
import { type Kernel, KernelContext, type Preamble, requirePack } from './kernel-context.ts';
import { Walk } from './walk.ts';
import { CodeWriter } from './writer.ts';

export interface MapKnobs {
  /** Threads a block. */
  block: number;
  /** Neighbouring elements a thread moves in one instruction. */
  vector: number;
  /** Packs a thread works through, a grid apart. */
  items: number;
}

interface Parts {
  context: KernelContext;
  accesses: Accesses;
  walk: Walk;
  count: number;
}

/** A map group's domain as one row of elements. */
function prepare(program: Program, group: Group, stored: readonly number[], preamble: Preamble): Parts {
  const dimensions = group.structure.dimensions.map(({ size }) => ({ size, folded: true }));
  const context = new KernelContext(program, group, preamble);
  const accesses = new Accesses(context, stored);
  const walk = new Walk(dimensions, accesses.all(), { row: 'row', column: 'i', indexType: context.indexType });
  return { context, accesses, walk, count: product(dimensions.map((dimension) => dimension.size)) };
}

/** Pack widths that divide the innermost run and that some access can use. */
export function mapVectorWidths(
  program: Program,
  group: Group,
  stored: readonly number[],
  preamble: Preamble,
): number[] {
  const { context, accesses, walk } = prepare(program, group, stored, preamble);
  const run = walk.innerSizes.at(-1) ?? 1;
  const bytes = Math.max(...stored.map((id) => storage[context.value(id).dtype].bytes));
  return [1, 2, 4, 8].filter(
    (width) =>
      width === 1 ||
      (run % width === 0 && width * bytes <= 16 && stored.every((id) => walk.isPacked(accesses.store(id), width))),
  );
}

/** Bytes of a tensor from which it is not in a cache any more when it is read again. */
const largeBytes = 1 << 20;

/**
 * How often the group walks from its first dimension on over a large operand that has no part in them: a layer's weights, for each row again. Threads that
 * take as many packs a grid apart meet the same element of it each time. 1: there is no such operand.
 */
export function mapRepeats(program: Program, group: Group, stored: readonly number[], preamble: Preamble): number {
  const { context, accesses } = prepare(program, group, stored, preamble);
  const sizes = group.structure.dimensions.map(({ size }) => size);
  const repeats = (group.steps as readonly MapStep[]).flatMap((step) =>
    step.operands.flatMap((operand, k) => {
      if (operand.kind !== 'load' || operand.lazy || !context.isMemory(operand.value)) return [];
      const { strides } = accesses.operand(step, k);
      const first = strides.findIndex((stride, d) => stride !== 0 && sizes[d]! > 1);
      const times = product(sizes.slice(0, Math.max(0, first)));
      const reached = product(sizes.filter((_, d) => strides[d] !== 0));
      return reached * storage[context.value(operand.value).dtype].bytes >= largeBytes ? [times] : [];
    }),
  );
  return Math.max(1, ...repeats);
}

export function mapKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: MapKnobs,
  preamble: Preamble,
): Kernel {
  const { context, accesses, walk, count } = prepare(program, group, stored, preamble);
  const { block, vector, items } = knobs;
  const steps = group.steps as readonly MapStep[];
  const wanted = steps.filter((step) => stored.includes(step.out)).map((step) => ({ step }));
  const evaluation = planEvaluation(context, accesses, walk, wanted, () => false);
  const packs = Math.ceil(count / vector);
  const blocks = Math.max(1, Math.ceil(packs / (block * items)));

  const body = new CodeWriter();
  const { indexType } = context;
  const start = `(static_cast<${indexType}>(blockIdx.x) * ${block} + threadIdx.x)${vector === 1 ? '' : ` * ${vector}`}`;
  if (items === 1) {
    body.line(`const ${indexType} i = ${start};`);
    if (blocks * block * vector !== count) body.line(`if (i >= ${count}) return;  // the last block is not full`);
  } else {
    body.line('// A thread takes elements a whole grid apart, so that neighbours in a warp stay neighbours in memory.');
    body.line(`#pragma unroll ${items}`);
    body.open(`for (${indexType} i = ${start}; i < ${count}; i += ${blocks * block * vector}) {`);
  }
  for (const line of walk.columnDeclarations(accesses.all())) body.line(line);
  if (vector === 1) {
    writeElement(body, context, accesses, walk, evaluation);
    for (const id of stored) {
      body.line(`${context.value(id).name}[${walk.index(accesses.store(id))}] = ${storedElement(context, id)};`);
    }
  } else {
    requirePack(preamble);
    writePackLoads(body, context, walk, evaluation.loads, vector);
    for (const id of stored) body.line(`${packType(context, id, vector)} ${context.value(id).name}_pack;`);
    body.line('#pragma unroll');
    body.open(`for (int k = 0; k < ${vector}; ++k) {`);
    writeElement(body, context, accesses, walk, evaluation, { width: vector, k: 'k' });
    for (const id of stored) body.line(`${context.value(id).name}_pack.at[k] = ${storedElement(context, id)};`);
    body.close();
    for (const id of stored) {
      const type = packType(context, id, vector);
      const target = context.value(id).name;
      body.line(`*reinterpret_cast<${type}*>(${target} + ${walk.index(accesses.store(id))}) = ${target}_pack;`);
    }
  }
  if (items !== 1) body.close();

  const { text: parameters, pointers } = context.parameters(stored);
  const operators = [...new Set(steps.map((step) => program.nodes[step.node]?.op ?? step.label))].join(', ');
  const writer = new CodeWriter();
  writer.line(
    `// ${operators}: ${vector === 1 ? 'one element' : `${vector} neighbours`} a thread${items === 1 ? '' : `, ${items} times`}.`,
  );
  writer.open(`__global__ void __launch_bounds__(${block}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  return { name, text: writer.toString(), pointers, writes: stored, grid: [blocks, 1, 1], block };
}

function storedElement(context: KernelContext, id: number): string {
  return storage[context.value(id).dtype].store(context.variable(id));
}

function packType(context: KernelContext, id: number, width: number): string {
  return `Pack<${storage[context.value(id).dtype].type}, ${width}>`;
}
