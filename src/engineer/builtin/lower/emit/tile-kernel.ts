/**
 * A kernel for a matrix product: a block computes a tile of the output from tiles of both operands in shared memory, a thread
 * a smaller tile in registers; what follows the product (bias, activation) is done before the store.
 */
import type { Group } from '../groups.ts';
import type { Contraction, Program, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import { type Kernel, type KernelContext, type Preamble, requirePack } from './kernel-context.ts';
import {
  rounds,
  type Side,
  side,
  type TileShape,
  tileableContraction,
  writeBatch,
  writePlace,
  writeRead,
} from './operand-tile.ts';
import { writeEpilogue } from './product-epilogue.ts';
import { productKernel } from './product-kernel.ts';
import { planRows, type RowPlan } from './row-plan.ts';
import { CodeWriter } from './writer.ts';

export interface TileKnobs extends TileShape {
  /** Output rows and columns a thread. */
  threadM: number;
  threadN: number;
  /** Neighbours in one read of shared memory and one store of the output. */
  fragment: number;
  /** 1: load, wait, compute. 2: the next tiles are read from memory while these are computed with. */
  stages: number;
}

export function tileThreads(knobs: TileKnobs): number {
  return (knobs.blockM / knobs.threadM) * (knobs.blockN / knobs.threadN);
}

/** Shared memory of the tiles, bytes. */
export function tileSharedBytes(knobs: TileKnobs, elementBytes: number): number {
  const { blockM, blockN, blockK, stages, fragment } = knobs;
  return stages * blockK * (blockM + blockN + 2 * fragment) * elementBytes;
}

export function tileKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: TileKnobs,
  preamble: Preamble,
): Kernel {
  const step = tileableContraction(program, group);
  const { contraction } = step;
  const plan = planRows(program, group, stored, { keep: 'reload', softmax: 'two-pass' }, preamble);
  const { context } = plan;
  const threads = tileThreads(knobs);
  const { k } = contraction;
  const { blockM, blockN, blockK, threadM, threadN, fragment, stages } = knobs;
  const lanesN = blockN / threadN;
  const type = context.computeType(step.outs[0]!);
  const body = new CodeWriter();
  if (fragment > 1) requirePack(preamble);

  const sides = [side(context, contraction, 'a', knobs), side(context, contraction, 'b', knobs)] as const;
  const tiles = Math.ceil(k / blockK);
  body.line(`const int thread_n = threadIdx.x % ${lanesN};`);
  body.line(`const int thread_m = threadIdx.x / ${lanesN};`);
  body.line(`const int block_m = blockIdx.y * ${blockM};`);
  body.line(`const int block_n = blockIdx.x * ${blockN};`);
  writeBatch(body, context, contraction, sides);
  const stage = stages === 1 ? '' : `[${stages}]`;
  body.line(
    '// Both tiles lie with k first: a thread reads neighbours along m and along n. The padding spreads stores over banks.',
  );
  const alignment = fragment > 1 ? `__align__(${fragment * (type === 'double' ? 8 : 4)}) ` : '';
  body.line(`__shared__ ${alignment}${type} a_tile${stage}[${blockK}][${blockM + fragment}];`);
  body.line(`__shared__ ${alignment}${type} b_tile${stage}[${blockK}][${blockN + fragment}];`);
  body.line(`${type} sums[${threadM}][${threadN}] = {};`);

  if (stages === 1) {
    body.open(`for (int k0 = 0; k0 < ${k}; k0 += ${blockK}) {`);
    for (const own of sides)
      writeFill(body, context, own, knobs, threads, k, { from: 'k0', target: `${own.name}_tile` });
    body.line('__syncthreads();');
    writeProducts(body, knobs, type, '');
    body.line('__syncthreads();');
    body.close();
  } else {
    for (const own of sides)
      writeFill(body, context, own, knobs, threads, k, { from: '0', target: `${own.name}_tile[0]` });
    body.line('__syncthreads();');
    body.open(`for (int tile = 0; tile < ${tiles}; ++tile) {`);
    body.line('const int now = tile % 2;');
    body.line('// The next tiles are on their way to registers while these are used.');
    for (const own of sides) {
      body.line(`${type} ${own.name}_next[${(own.block * blockK) / threads}];`);
    }
    body.open(`if (tile + 1 < ${tiles}) {`);
    body.line(`const int k0 = (tile + 1) * ${blockK};`);
    for (const own of sides) writeFetch(body, context, own, knobs, threads, k);
    body.close();
    writeProducts(body, knobs, type, '[now]');
    body.open(`if (tile + 1 < ${tiles}) {`);
    for (const own of sides) writePut(body, own, knobs, threads);
    body.close();
    body.line('__syncthreads();');
    body.close();
  }
  writeResults(body, plan, step, knobs, stored);

  return productKernel({
    ...{ name, program, group, stored, context, contraction, shape: knobs, threads, body },
    how: '',
    share: `a thread ${threadM} x ${threadN}`,
  });
}

function tileCell(own: Side, target: string, v: number): string {
  const plus = v === 0 ? '' : ` + ${v}`;
  return own.alongDepth ? `${target}[k_at${plus}][${own.outer}_at]` : `${target}[k_at][${own.outer}_at${plus}]`;
}

function writeFill(
  body: CodeWriter,
  context: KernelContext,
  own: Side,
  knobs: TileKnobs,
  threads: number,
  k: number,
  where: { from: string; target: string },
): void {
  body.line('#pragma unroll');
  body.open(`for (int round = 0; round < ${rounds(own, knobs, threads)}; ++round) {  // fill the tile of ${own.name}`);
  writePlace(body, own, knobs, threads, 'round');
  writeRead(body, context, own, knobs, k, where.from, (v, text) => `${tileCell(own, where.target, v)} = ${text};`);
  body.close();
}

function writeFetch(
  body: CodeWriter,
  context: KernelContext,
  own: Side,
  knobs: TileKnobs,
  threads: number,
  k: number,
): void {
  body.line('#pragma unroll');
  body.open(`for (int round = 0; round < ${rounds(own, knobs, threads)}; ++round) {`);
  writePlace(body, own, knobs, threads, 'round');
  writeRead(
    body,
    context,
    own,
    knobs,
    k,
    'k0',
    (v, text) => `${own.name}_next[round * ${own.vector} + ${v}] = ${text};`,
  );
  body.close();
}

function writePut(body: CodeWriter, own: Side, knobs: TileKnobs, threads: number): void {
  body.line('#pragma unroll');
  body.open(`for (int round = 0; round < ${rounds(own, knobs, threads)}; ++round) {`);
  writePlace(body, own, knobs, threads, 'round');
  for (let v = 0; v < own.vector; v++) {
    body.line(`${tileCell(own, `${own.name}_tile[1 - now]`, v)} = ${own.name}_next[round * ${own.vector} + ${v}];`);
  }
  body.close();
}

/** Where in the block's tile a thread's p-th row or column lies: packs of `fragment`, dealt round the threads. */
function spread(thread: string, lanes: number, fragment: number, p: string): string {
  if (fragment === 1) return `${thread} + ${p} * ${lanes}`;
  return `(${p} / ${fragment}) * ${lanes * fragment} + ${thread} * ${fragment} + ${p} % ${fragment}`;
}

function writeProducts(body: CodeWriter, knobs: TileKnobs, type: string, stage: string): void {
  const { blockM, blockN, blockK, threadM, threadN, fragment } = knobs;
  body.line('#pragma unroll');
  body.open(`for (int k_at = 0; k_at < ${blockK}; ++k_at) {`);
  const sidesOf = [
    ['a', 'm', threadM, blockM / threadM],
    ['b', 'n', threadN, blockN / threadN],
  ] as const;
  for (const [name, outer, count, lanes] of sidesOf) {
    body.line(`${type} ${name}_part[${count}];`);
    body.line('#pragma unroll');
    if (fragment === 1) {
      body.line(
        `for (int p = 0; p < ${count}; ++p) ${name}_part[p] = ${name}_tile${stage}[k_at][${spread(`thread_${outer}`, lanes, 1, 'p')}];`,
      );
      continue;
    }
    body.open(`for (int p = 0; p < ${count}; p += ${fragment}) {`);
    const pack = `Pack<${type}, ${fragment}>`;
    body.line(
      `const ${pack} pack = *reinterpret_cast<const ${pack}*>(&${name}_tile${stage}[k_at][p * ${lanes} + thread_${outer} * ${fragment}]);`,
    );
    body.line('#pragma unroll');
    body.line(`for (int v = 0; v < ${fragment}; ++v) ${name}_part[p + v] = pack.at[v];`);
    body.close();
  }
  body.line('#pragma unroll');
  body.open(`for (int p = 0; p < ${threadM}; ++p) {`);
  body.line('#pragma unroll');
  body.line(`for (int q = 0; q < ${threadN}; ++q) sums[p][q] += a_part[p] * b_part[q];`);
  body.close();
  body.close();
}

/** Epilogue and stores, element by element of the thread's tile; packs along n where the width divides it. */
function writeResults(
  body: CodeWriter,
  plan: RowPlan,
  step: ReduceStep & { contraction: Contraction },
  knobs: TileKnobs,
  stored: readonly number[],
): void {
  const { context } = plan;
  const { m, n } = step.contraction;
  const { blockM, blockN, threadM, threadN } = knobs;
  const fits = (id: number) => storage[context.value(id).dtype].bytes * knobs.fragment <= 16;
  const width = n % knobs.fragment === 0 && stored.every(fits) ? knobs.fragment : 1;
  const [lanesM, lanesN] = [blockM / threadM, blockN / threadN];
  body.line('// Every sum is complete: what follows the product, and the stores.');
  body.line('#pragma unroll');
  body.open(`for (int p = 0; p < ${threadM}; ++p) {`);
  body.line(`const int m = block_m + ${spread('thread_m', lanesM, knobs.fragment, 'p')};`);
  if (m % blockM !== 0) body.line(`if (m >= ${m}) continue;`);
  body.line('#pragma unroll');
  body.open(`for (int q = 0; q < ${threadN}; q += ${width}) {`);
  body.line(`const int n = block_n + ${spread('thread_n', lanesN, knobs.fragment, 'q')};`);
  if (n % blockN !== 0) body.line(`if (n >= ${n}) continue;`);
  writeEpilogue(body, plan, step, stored, width, (v) => `sums[p][q${v}]`);
  body.close();
  body.close();
}
