/**
 * A kernel for a matrix product: a block computes a tile of the output from tiles of both operands in shared memory, a thread
 * a smaller tile in registers; what follows the product (bias, activation) is done before the store.
 */
import type { Group } from '../groups.ts';
import type { Contraction, Program, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import { product } from '../strides.ts';
import { planEvaluation, rowMaps, valueKey, writeStep } from './elements.ts';
import { type Kernel, type KernelContext, type Preamble, requirePack } from './kernel-context.ts';
import { planRows, type RowPlan } from './row-kernel.ts';
import { CodeWriter } from './writer.ts';

export interface TileKnobs {
  /** Output rows and columns a block, and depth of the tiles in shared memory. */
  blockM: number;
  blockN: number;
  blockK: number;
  /** Output rows and columns a thread. */
  threadM: number;
  threadN: number;
  /** Neighbours in one read of global memory, where an operand's layout allows. */
  vector: number;
  /** Neighbours in one read of shared memory and one store of the output. */
  fragment: number;
  /** 1: load, wait, compute. 2: the next tiles are read from memory while these are computed with. */
  stages: number;
}

/** The group's contraction, when it is one and in a type that tiles are written for. */
export function tileableContraction(program: Program, group: Group): ReduceStep & { contraction: Contraction } {
  const step = group.steps.find((own): own is ReduceStep => own.kind === 'reduce' && own.contraction !== undefined);
  if (!step || !isTileable(program, group)) throw new Error('the group has no matrix product to tile');
  return step as ReduceStep & { contraction: Contraction };
}

export function isTileable(program: Program, group: Group): boolean {
  const step = group.steps.find((own): own is ReduceStep => own.kind === 'reduce' && own.contraction !== undefined);
  if (!step?.contraction) return false;
  const { a, b } = step.contraction;
  const floating = (id: number) => /^(b?float(16|32|64))$/.test(program.values[id]!.dtype);
  return floating(a.value) && floating(b.value);
}

export function tileThreads(knobs: TileKnobs): number {
  return (knobs.blockM / knobs.threadM) * (knobs.blockN / knobs.threadN);
}

/** Shared memory of the tiles, bytes. */
export function tileSharedBytes(knobs: TileKnobs, elementBytes: number): number {
  const { blockM, blockN, blockK, stages, fragment } = knobs;
  return stages * blockK * (blockM + blockN + 2 * fragment) * elementBytes;
}

/** One operand's tile: how threads walk it in memory and where they put it. */
interface Side {
  /** `a` is [m, k], `b` is [k, n]; `outer` is m or n. */
  name: 'a' | 'b';
  outer: 'm' | 'n';
  extent: number;
  block: number;
  /** Strides of the operand along the outer dimension and along k. */
  outerStride: number;
  depthStride: number;
  /** Whether neighbours in memory lie along k. */
  alongDepth: boolean;
  vector: number;
  base: string;
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
  const { m, n, k, batch } = contraction;
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

  const { text: parameters, pointers } = context.parameters(stored);
  const operators = [...new Set(group.steps.map((own) => program.nodes[own.node]?.op ?? 'copy'))].join(', ');
  const writer = new CodeWriter();
  writer.line(
    `// ${operators}: [${m}, ${k}] x [${k}, ${n}]${batch.length ? `, ${product(batch)} of them` : ''}; a block makes ${blockM} x ${blockN}, a thread ${threadM} x ${threadN}.`,
  );
  writer.open(`__global__ void __launch_bounds__(${threads}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  return {
    name,
    text: writer.toString(),
    pointers,
    writes: stored,
    grid: [Math.ceil(n / blockN), Math.ceil(m / blockM), product(batch)],
    block: threads,
  };
}

/** How one operand is read: along whichever of its dimensions neighbours lie. */
function side(context: KernelContext, contraction: Contraction, name: 'a' | 'b', knobs: TileKnobs): Side {
  const access = contraction[name];
  const [first, second] = [access.strides.at(-2)!, access.strides.at(-1)!];
  const [outerStride, depthStride] = name === 'a' ? [first, second] : [second, first];
  const extent = name === 'a' ? contraction.m : contraction.n;
  const alongDepth = depthStride === 1 && outerStride !== 1;
  const rest = [...access.strides.slice(0, -2), access.offset, alongDepth ? outerStride : depthStride];
  const run = alongDepth ? contraction.k : extent;
  const bytes = storage[context.value(access.value).dtype].bytes;
  const packs =
    (alongDepth ? depthStride : outerStride) === 1 &&
    context.isMemory(access.value) &&
    run % knobs.vector === 0 &&
    bytes * knobs.vector <= 16 &&
    rest.every((stride) => stride % knobs.vector === 0);
  return {
    name,
    outer: name === 'a' ? 'm' : 'n',
    extent,
    block: name === 'a' ? knobs.blockM : knobs.blockN,
    outerStride,
    depthStride,
    alongDepth,
    vector: packs ? knobs.vector : 1,
    base: context.value(access.value).name,
  };
}

/** Where this block's matrices of the batch begin. */
function writeBatch(body: CodeWriter, context: KernelContext, contraction: Contraction, sides: readonly Side[]): void {
  const { batch } = contraction;
  const coordinates: string[] = [];
  let divisor = 1;
  for (let d = batch.length - 1; d >= 0; d--) {
    const quotient = divisor === 1 ? 'blockIdx.z' : `blockIdx.z / ${divisor}`;
    coordinates[d] = d === 0 ? quotient : `${divisor === 1 ? quotient : `(${quotient})`} % ${batch[d]}`;
    divisor *= batch[d]!;
  }
  for (const own of sides) {
    const access = contraction[own.name];
    const terms = batch.flatMap((_, d) => {
      const stride = access.strides[d]!;
      if (stride === 0 || batch[d] === 1) return [];
      return [`static_cast<${context.indexType}>(${coordinates[d]}) * ${stride}`];
    });
    if (access.offset !== 0) terms.push(`${access.offset}`);
    context.usePointer(access.value);
    const { type } = storage[context.value(access.value).dtype];
    body.line(
      `const ${type}* __restrict__ ${own.name}_matrix = ${own.base}${terms.map((term) => ` + ${term}`).join('')};`,
    );
  }
}

/** Declares a thread's `p`-th place in an operand's tile: `outer_at`, `depth_at` within the tile. */
function writePlace(body: CodeWriter, own: Side, knobs: TileKnobs, threads: number, p: string): void {
  const { vector } = own;
  const fast = own.alongDepth ? knobs.blockK : own.block;
  body.line(`const int place = (threadIdx.x + ${p} * ${threads})${vector === 1 ? '' : ` * ${vector}`};`);
  const [depth, outer] = own.alongDepth
    ? [`place % ${fast}`, `place / ${fast}`]
    : [`place / ${fast}`, `place % ${fast}`];
  body.line(`const int ${own.outer}_at = ${outer};`);
  body.line(`const int k_at = ${depth};`);
}

function indexIn(own: Side, k0: string): string {
  const term = (text: string, stride: number) => (stride === 1 ? `(${text})` : `(${text}) * ${stride}`);
  return `${term(`block_${own.outer} + ${own.outer}_at`, own.outerStride)} + ${term(`${k0} + k_at`, own.depthStride)}`;
}

function insideTest(own: Side, knobs: TileKnobs, k: number, k0: string): string {
  const tests: string[] = [];
  if (own.extent % own.block !== 0) tests.push(`block_${own.outer} + ${own.outer}_at < ${own.extent}`);
  if (k % knobs.blockK !== 0) tests.push(`${k0} + k_at < ${k}`);
  return tests.join(' && ');
}

/** Rounds of reads that a thread makes to fill its share of a tile. */
function rounds(own: Side, knobs: TileKnobs, threads: number): number {
  return (own.block * knobs.blockK) / (threads * own.vector);
}

/** The value (or pack) at a thread's place, zero outside the matrix. */
function writeRead(
  body: CodeWriter,
  context: KernelContext,
  own: Side,
  knobs: TileKnobs,
  k: number,
  k0: string,
  give: (v: number, text: string) => string,
): void {
  const { dtype } = context.value(
    context.group.steps.flatMap((step) =>
      step.kind === 'reduce' && step.contraction ? [step.contraction[own.name].value] : [],
    )[0]!,
  );
  const { type, load, compute } = storage[dtype];
  const inside = insideTest(own, knobs, k, k0);
  if (own.vector === 1) {
    const read = load(`${own.name}_matrix[${indexIn(own, k0)}]`);
    body.line(give(0, inside ? `(${inside}) ? ${read} : ${compute}(0)` : read));
    return;
  }
  requirePack(context.preamble);
  const pack = `Pack<${type}, ${own.vector}>`;
  body.line(`${pack} pack = {};`);
  const read = `pack = *reinterpret_cast<const ${pack}*>(${own.name}_matrix + ${indexIn(own, k0)});`;
  body.line(inside ? `if (${inside}) ${read}` : read);
  for (let v = 0; v < own.vector; v++) body.line(give(v, load(`pack.at[${v}]`)));
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
  const { context, walk, accesses } = plan;
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
  const type = context.indexType;
  const rowText = (column: string) => `(static_cast<${type}>(blockIdx.z) * ${m} + m) * ${n} + ${column}`;
  const packType = (id: number) => `Pack<${storage[context.value(id).dtype].type}, ${width}>`;
  if (width > 1) {
    body.line(`const ${type} first = ${rowText('n')};`);
    for (const id of stored) body.line(`${packType(id)} ${context.value(id).name}_pack;`);
    body.line('#pragma unroll');
    body.open(`for (int v = 0; v < ${width}; ++v) {`);
    body.line(`const ${type} row = first + v;`);
  } else {
    body.line(`const ${type} row = ${rowText('n')};`);
  }
  for (const line of walk.rowDeclarations(accesses.ofRowMaps())) body.line(line);
  const out = step.outs[0]!;
  body.line(`const ${context.computeType(out)} ${context.variable(out)} = sums[p][${width > 1 ? 'q + v' : 'q'}];`);
  const declared = new Set<string>();
  for (const map of rowMaps(context)) {
    const { loads } = planEvaluation(
      context,
      accesses,
      walk,
      [{ step: map }],
      (key) => key.startsWith('value:') && key !== valueKey(map.out),
    );
    for (const load of loads) {
      if (declared.has(load.variable)) continue;
      declared.add(load.variable);
      body.line(
        `const ${context.computeType(load.value)} ${load.variable} = ${context.read(load.value, walk.index(load.access))};`,
      );
    }
    writeStep(body, context, accesses, walk, map);
  }
  for (const id of stored) {
    const { name, dtype } = context.value(id);
    const value = storage[dtype].store(context.variable(id));
    body.line(width > 1 ? `${name}_pack.at[v] = ${value};` : `${name}[row] = ${value};`);
  }
  if (width > 1) {
    body.close();
    for (const id of stored) {
      const { name } = context.value(id);
      body.line(`*reinterpret_cast<${packType(id)}*>(${name} + first) = ${name}_pack;`);
    }
  }
  body.close();
  body.close();
}
