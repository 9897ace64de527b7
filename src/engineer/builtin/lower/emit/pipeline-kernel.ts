/**
 * A kernel for a matrix product on tensor cores that keeps them fed: tiles of both operands go from global to shared memory by asynchronous
 * copies, several steps ahead of the products (`cp.async`, PTX ISA, "Asynchronous copy"), and from there to registers by `ldmatrix`; the products are
 * `mma.sync` of 16 x 8. Registers hold nothing but sums and fragments, so that tiles may be larger than where they are read through registers
 * (`mma-kernel.ts`), and fewer bytes are read from the L2.
 *
 * Rows of a tile lie next to each other without padding. The 16-byte chunks of a row are exchanged by its number ({@link turnOf}), so that the eight rows of
 * a matrix that `ldmatrix` reads at once, and the chunks that neighbouring threads copy at once, fall on all 32 banks.
 *
 * Operands are of 16 bits, or float rounded to tf32 as fragments are read.
 */
import type { Group } from '../groups.ts';
import type { Program } from '../program.ts';
import { type Kernel, type Preamble, requirePack } from './kernel-context.ts';
import type { MmaLayout } from './mma-kernel.ts';
import { type Side, side, type TileShape, tileableContraction, writeBatch } from './operand-tile.ts';
import { FRAGMENT, stripBytes, writeStrips } from './product-epilogue.ts';
import { productKernel } from './product-kernel.ts';
import { planRows } from './row-kernel.ts';
import { CodeWriter } from './writer.ts';

export interface PipelineKnobs extends Omit<TileShape, 'vector'> {
  /** What is multiplied: the operands' own 16 bits, or float rounded to tf32. */
  arithmetic: 'half' | 'tf32';
  /** Output rows and columns a warp; multiples of 16. */
  warpM: number;
  warpN: number;
  /** Pairs of tiles in shared memory: one is multiplied, the others are on their way. */
  stages: number;
  /** Tiles of the output, one below the other, that are begun before those of the next column; 1: row by row. */
  group: number;
}

/** Bytes that lie together whatever the row's number: a row of a matrix of `ldmatrix`, and the longest copy. */
const CHUNK = 16;
/** Lanes that a matrix of `ldmatrix` takes its rows from, and its rows. */
const EIGHT = 8;

export function pipelineThreads({ blockM, blockN, warpM, warpN }: PipelineKnobs): number {
  return 32 * (blockM / warpM) * (blockN / warpN);
}

export const pipelineElementBytes = ({ arithmetic }: Pick<PipelineKnobs, 'arithmetic'>): number =>
  arithmetic === 'half' ? 2 : 4;

/** Elements along k of one `mma.sync`: 32 bytes of either kind. */
export function pipelineDepth({ arithmetic }: Pick<PipelineKnobs, 'arithmetic'>): number {
  return arithmetic === 'half' ? 16 : 8;
}

/** How a tile lies in shared memory and is filled. */
export interface TilePlan {
  /** Bytes of a row, which runs along k or along m or n, and how many rows there are. */
  pitch: number;
  rows: number;
  bytes: number;
  /** Bytes of one copy, copies a row, and rows that all threads together copy at a time. */
  copyBytes: number;
  copiesPerRow: number;
  rowsPerRound: number;
  /** Whether the chunks of a row are exchanged as those of the row that a thread copies to next: its copies differ by constants. */
  steady: boolean;
}

/** The plan of an operand's tile; a sentence where threads do not divide it. `vector`: neighbours in one copy. */
export function planTile(alongDepth: boolean, block: number, vector: number, knobs: PipelineKnobs): TilePlan | string {
  const element = pipelineElementBytes(knobs);
  const fast = alongDepth ? knobs.blockK : block;
  const copyBytes = vector * element;
  if (copyBytes < 4) return 'an operand cannot be read in 4 bytes or more at a time';
  const chunks = (fast * element) / CHUNK;
  if (![2, 4].includes(chunks) && chunks % EIGHT !== 0) return 'rows of a tile do not spread over the banks';
  if (chunks < EIGHT && isAcross32(alongDepth, knobs)) return 'rows of a tile do not spread over the banks';
  const copiesPerRow = fast / vector;
  const rowsPerRound = pipelineThreads(knobs) / copiesPerRow;
  if (!Number.isInteger(rowsPerRound)) return 'threads do not divide the tiles evenly';
  const steady = rowsPerRound % (isAcross32(alongDepth, knobs) ? 4 : EIGHT) === 0;
  const rows = alongDepth ? block : knobs.blockK;
  const pitch = fast * element;
  return { pitch, rows, bytes: pitch * rows, copyBytes, copiesPerRow, rowsPerRound, steady };
}

/** Whether a tile's rows run along m or n in elements of 32 bits, which `ldmatrix` cannot transpose: lanes read them one by one. */
const isAcross32 = (alongDepth: boolean, { arithmetic }: Pick<PipelineKnobs, 'arithmetic'>): boolean =>
  !alongDepth && arithmetic === 'tf32';

/**
 * C++ of the number that a row's chunks are exchanged by (exclusive or): eight rows in turn, or pairs or fours of them where a row is shorter than 128
 * bytes. Where lanes read 32 bits each, from four rows at a time and two chunks of each, the four take different pairs.
 */
function turnOf(row: string, { pitch }: TilePlan, across32: boolean): string {
  if (across32) return `${row} % 4 * 2`;
  const chunks = Math.min(EIGHT, pitch / CHUNK);
  return chunks === EIGHT ? `${row} % 8` : `${row} / ${EIGHT / chunks} % ${chunks}`;
}

/** Shared memory of a kernel, bytes: all stages of both tiles, and in their place at the end what goes out. */
export function pipelineSharedBytes(a: TilePlan, b: TilePlan, knobs: PipelineKnobs): number {
  return Math.max(knobs.stages * (a.bytes + b.bytes), stripBytes(knobs));
}

/** Plans of both tiles, or why there are none. */
export function planTiles(
  layout: MmaLayout,
  packs: { a: number; b: number },
  knobs: PipelineKnobs,
): { a: TilePlan; b: TilePlan } | string {
  const a = planTile(layout.a, knobs.blockM, packs.a, knobs);
  const b = planTile(layout.b, knobs.blockN, packs.b, knobs);
  if (typeof a === 'string') return a;
  return typeof b === 'string' ? b : { a, b };
}

export function pipelineKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: PipelineKnobs,
  preamble: Preamble,
): Kernel {
  const step = tileableContraction(program, group);
  const { contraction } = step;
  const { m, n, k } = contraction;
  const { blockM, blockN, blockK, warpM, warpN, stages } = knobs;
  const plan = planRows(program, group, stored, { keep: 'reload', softmax: 'two-pass' }, preamble);
  const { context } = plan;
  const threads = pipelineThreads(knobs);
  // The widest copies that the layouts allow.
  const vector = CHUNK / pipelineElementBytes(knobs);
  const widest = (own: 'a' | 'b'): Side => {
    for (let width = vector; width > 1; width /= 2) {
      const found = side(context, contraction, own, { ...knobs, vector: width });
      if (found.vector === width) return found;
    }
    return side(context, contraction, own, { ...knobs, vector: 1 });
  };
  const sides = [widest('a'), widest('b')] as const;
  const layout = { a: sides[0].alongDepth, b: sides[1].alongDepth };
  const tiles = planTiles(layout, { a: sides[0].vector, b: sides[1].vector }, knobs);
  if (typeof tiles === 'string') throw new Error(tiles);
  const { dtype } = context.value(contraction.a.value);
  const element = knobs.arithmetic === 'tf32' ? 'tf32' : dtype === 'float16' ? 'f16' : 'bf16';
  requirePack(preamble);
  requireInstructions(preamble, knobs, sides, element);

  const body = new CodeWriter();
  const warpsN = blockN / warpN;
  body.line('const int lane = threadIdx.x % 32;');
  body.line('const int warp = threadIdx.x / 32;');
  body.line(`const int warp_m = ${warpsN === 1 ? 'warp' : `warp / ${warpsN}`} * ${warpM};`);
  body.line(`const int warp_n = ${warpsN === 1 ? '0' : `warp % ${warpsN} * ${warpN}`};`);
  const tilesN = Math.ceil(n / blockN);
  const grid = writeOrder(body, knobs, Math.ceil(m / blockM), tilesN);
  writeBatch(body, context, contraction, sides);
  body.line('// Tiles lie in shared memory as their operands do in memory, one pair of them a stage.');
  body.line('extern __shared__ __align__(128) unsigned char memory[];');
  body.line('const unsigned a_tiles = static_cast<unsigned>(__cvta_generic_to_shared(memory));');
  body.line(`const unsigned b_tiles = a_tiles + ${stages * tiles.a.bytes};`);
  for (const own of sides) writeCopyPlace(body, own, tiles[own.name], knobs);
  for (const own of sides) writeReadPlace(body, own, tiles[own.name], knobs);
  body.line(`float sums[${warpM / FRAGMENT}][${warpN / EIGHT}][4] = {};`);

  const steps = Math.ceil(k / blockK);
  body.line('// Starts the copies of the next pair of tiles.');
  const tail = k % blockK !== 0;
  body.open(`auto fill = [&](int stage${tail ? ', int k0' : ''}) {`);
  for (const own of sides) writeCopies(body, own, tiles[own.name], knobs, k, threads);
  body.close('};');
  for (let ahead = 0; ahead < stages - 1; ahead++) {
    if (ahead < steps) body.line(`fill(${ahead}${tail ? `, ${ahead * blockK}` : ''});`);
    body.line('copies_make_a_group();');
  }
  body.line(`int now = 0, next = ${stages - 1};  // stages: that of this step's tiles, and one that is free`);
  body.open(`for (int step = 0; step < ${steps}; ++step) {`);
  body.line(`wait_for_all_groups_but<${stages - 2}>();`);
  body.line('__syncthreads();  // the tiles have arrived for all, and all are done with those of the step before');
  body.line(`if (step + ${stages - 1} < ${steps}) fill(next${tail ? `, (step + ${stages - 1}) * ${blockK}` : ''});`);
  body.line('copies_make_a_group();');
  writeProducts(body, sides, tiles, knobs, element);
  body.line(`now = now == ${stages - 1} ? 0 : now + 1;`);
  body.line(`next = next == ${stages - 1} ? 0 : next + 1;`);
  body.close();
  body.line('__syncthreads();');
  writeStrips(body, plan, step, stored, knobs, (columns, row) => {
    body.line('// A fragment has two neighbours of row lane / 4 in a lane, and two eight rows below.');
    body.line('#pragma unroll');
    body.open(`for (int part = 0; part < ${columns / EIGHT}; ++part) {`);
    body.line(`const float (&own)[4] = sums[p][2 * q + part];`);
    body.line(`float* to = out + lane / 4 * ${row} + part * 8 + lane % 4 * 2;`);
    body.line('*reinterpret_cast<float2*>(to) = make_float2(own[0], own[1]);');
    body.line(`*reinterpret_cast<float2*>(to + ${EIGHT * row}) = make_float2(own[2], own[3]);`);
    body.close();
  });

  return productKernel({
    ...{ name, program, group, stored, context, contraction, shape: knobs, threads, body, grid },
    sharedBytes: pipelineSharedBytes(tiles.a, tiles.b, knobs),
    how: ` on tensor cores (${knobs.arithmetic === 'half' ? 'as they are' : 'rounded to tf32'})`,
    share: `a warp ${warpM} x ${warpN}; ${stages} pairs of tiles in turn`,
  });
}

/** Which tile a block takes; the grid's extents along x and y. */
function writeOrder(body: CodeWriter, knobs: PipelineKnobs, tilesM: number, tilesN: number): readonly [number, number] {
  const { blockM, blockN, group } = knobs;
  if (group === 1) {
    body.line(`const int block_m = blockIdx.y * ${blockM};`);
    body.line(`const int block_n = blockIdx.x * ${blockN};`);
    return [tilesN, tilesM];
  }
  body.line(
    `// ${group} tiles one below the other before the next column: blocks at work at once share rows and columns in the L2.`,
  );
  body.line(`const int block_m = (blockIdx.y / ${tilesN} * ${group} + blockIdx.x) * ${blockM};`);
  body.line(`const int block_n = blockIdx.y % ${tilesN} * ${blockN};`);
  return [group, tilesN * (tilesM / group)];
}

/** Declares where a thread's first copy of a tile comes from and goes to. */
function writeCopyPlace(body: CodeWriter, own: Side, tile: TilePlan, knobs: PipelineKnobs): void {
  const { name, outer, vector, alongDepth, indexType } = own;
  const perChunk = CHUNK / tile.copyBytes;
  body.line(
    `// Of ${name}'s tile a thread copies ${tile.copyBytes} bytes of this row, and of every ${tile.rowsPerRound}th from there.`,
  );
  body.line(`const int ${name}_row = threadIdx.x / ${tile.copiesPerRow};`);
  body.line(`const int ${name}_column = threadIdx.x % ${tile.copiesPerRow}${vector === 1 ? '' : ` * ${vector}`};`);
  const [at, deep] = alongDepth ? [`${name}_row`, `${name}_column`] : [`${name}_column`, `${name}_row`];
  const term = (text: string, stride: number) =>
    stride === 1 ? text : `static_cast<${indexType}>(${text}) * ${stride}`;
  body.line(
    `const auto* ${name}_from = ${name}_matrix + ${term(`(block_${outer} + ${at})`, own.outerStride)} + ${term(deep, own.depthStride)};`,
  );
  const element = pipelineElementBytes(knobs);
  const within = perChunk === 1 ? '' : ` + ${name}_column % ${CHUNK / element} * ${element}`;
  body.line(
    `const int ${name}_into = threadIdx.x % ${tile.copiesPerRow}${perChunk === 1 ? '' : ` / ${perChunk}`};  // the chunk of the row`,
  );
  const turned = tile.steady
    ? ` + (${name}_into ^ (${turnOf(`${name}_row`, tile, isAcross32(alongDepth, knobs))})) * ${CHUNK}`
    : '';
  body.line(`const unsigned ${name}_to = ${name}_tiles + ${name}_row * ${tile.pitch}${turned}${within};`);
}

/** A thread's copies of one tile, `k0` deep, into a stage; zeros outside of the matrix. */
function writeCopies(
  body: CodeWriter,
  own: Side,
  tile: TilePlan,
  knobs: PipelineKnobs,
  k: number,
  threads: number,
): void {
  const { name, outer, alongDepth, extent, block } = own;
  const rounds = Math.ceil(tile.rows / tile.rowsPerRound);
  const row = `${name}_row + round * ${tile.rowsPerRound}`;
  const [at, deep] = alongDepth ? [row, `${name}_column`] : [`${name}_column`, row];
  const tests: string[] = [];
  if (extent % block !== 0) tests.push(`block_${outer} + ${at} < ${extent}`);
  if (k % knobs.blockK !== 0) tests.push(`k0 + ${deep} < ${k}`);
  const stride = tile.rowsPerRound * (alongDepth ? own.outerStride : own.depthStride);
  const whole = (tile.rows * tile.copiesPerRow) % threads === 0;
  body.line('#pragma unroll');
  body.open(`for (int round = 0; round < ${rounds}; ++round) {`);
  const inside = tests.length === 0 ? 'true' : tests.join(' && ');
  const turned = tile.steady
    ? ''
    : ` + (${name}_into ^ ((${row}) ${turnOf('', tile, isAcross32(alongDepth, knobs)).trim()})) * ${CHUNK}`;
  const copy = `copy_async<${tile.copyBytes}>(${name}_to + stage * ${tile.bytes} + round * ${tile.rowsPerRound * tile.pitch}${turned}, ${name}_from + round * ${stride}, ${inside});`;
  body.line(whole ? copy : `if (${row} < ${tile.rows}) ${copy}`);
  body.close();
  body.line(`${name}_from += ${knobs.blockK * own.depthStride};`);
}

/**
 * Declares where in a tile a lane's reads begin. For `ldmatrix` a lane gives the address of one row of one of four matrices: of the two halves along k and
 * the two along m or n of a fragment pair of 16, those of `a` are in the order of mma's registers, (k, m), those of `b` (n, k).
 */
function writeReadPlace(body: CodeWriter, own: Side, tile: TilePlan, knobs: PipelineKnobs): void {
  const { name, outer, alongDepth } = own;
  if (isAcross32(alongDepth, knobs)) {
    body.line(`// Lanes read ${name}'s tile, which lies across k, one element at a time.`);
    body.line(
      `const unsigned char* ${name}_lane = memory${name === 'a' ? '' : ' + (b_tiles - a_tiles)'} + lane % 4 * ${tile.pitch} + lane / 4 % 4 * 4;`,
    );
    return;
  }
  const [first, second] = ['lane / 8 % 2', 'lane / 16'];
  const [outerHalf, depthHalf] = name === 'a' ? [first, second] : [second, first];
  const line = alongDepth ? `warp_${outer} + ${outerHalf} * 8 + lane % 8` : `${depthHalf} * 8 + lane % 8`;
  body.line(`// The row of ${name}'s tile that a lane gives to ldmatrix, and which chunk of it.`);
  body.line(`const unsigned ${name}_lane = ${name}_tiles + (${line}) * ${tile.pitch};`);
  body.line(`const int ${name}_chunk = ${alongDepth ? depthHalf : `warp_${outer} / 8 + ${outerHalf}`};`);
  body.line(`const int ${name}_turn = ${turnOf('lane', tile, false)};`);
}

/** The products of a step: fragments of both tiles, as deep as one instruction takes them, and all sums of the warp. */
function writeProducts(
  body: CodeWriter,
  sides: readonly [Side, Side],
  tiles: { a: TilePlan; b: TilePlan },
  knobs: PipelineKnobs,
  element: string,
): void {
  const { blockK, warpM, warpN, arithmetic } = knobs;
  body.line('#pragma unroll');
  body.open(`for (int part = 0; part < ${blockK / pipelineDepth(knobs)}; ++part) {`);
  for (const own of sides) {
    const { name, outer, alongDepth } = own;
    const tile = tiles[name];
    const count = (name === 'a' ? warpM : warpN) / FRAGMENT;
    body.line(`unsigned ${name}[${count}][4];`);
    body.line('#pragma unroll');
    body.open(`for (int p = 0; p < ${count}; ++p) {`);
    const stage = `now * ${tile.bytes}`;
    if (isAcross32(alongDepth, knobs)) {
      body.line('#pragma unroll');
      body.open('for (int i = 0; i < 4; ++i) {');
      const [outerHalf, depthHalf] = name === 'a' ? ['i % 2', 'i / 2'] : ['i / 2', 'i % 2'];
      body.line(`const int chunk = (warp_${outer} + p * 16 + ${outerHalf} * 8) / 4 + lane / 16;`);
      body.line(
        `${name}[p][i] = *reinterpret_cast<const unsigned*>(${name}_lane + ${stage} + (part * 8 + ${depthHalf} * 4) * ${tile.pitch} + (chunk ^ lane % 4 * 2) * ${CHUNK});`,
      );
      body.close();
    } else if (alongDepth) {
      body.line(
        `load_matrices(${name}[p], ${name}_lane + ${stage} + p * ${FRAGMENT * tile.pitch} + ((part * 2 + ${name}_chunk) ^ ${name}_turn) * ${CHUNK});`,
      );
    } else {
      body.line(
        `load_matrices_transposed(${name}[p], ${name}_lane + ${stage} + part * ${FRAGMENT * tile.pitch} + ((p * 2 + ${name}_chunk) ^ ${name}_turn) * ${CHUNK});`,
      );
    }
    if (arithmetic === 'tf32') {
      body.line('#pragma unroll');
      body.line(
        `for (int i = 0; i < 4; ++i) ${name}[p][i] = __float_as_uint(nvcuda::wmma::__float_to_tf32(__uint_as_float(${name}[p][i])));`,
      );
    }
    body.close();
  }
  body.line('#pragma unroll');
  body.open(`for (int p = 0; p < ${warpM / FRAGMENT}; ++p) {`);
  body.line('#pragma unroll');
  body.line(
    `for (int q = 0; q < ${warpN / EIGHT}; ++q) multiply_add_${element}(sums[p][q], a[p], b[q / 2][q % 2 * 2], b[q / 2][q % 2 * 2 + 1]);`,
  );
  body.close();
  body.close();
}

/** Device functions, one instruction each. */
function requireInstructions(preamble: Preamble, knobs: PipelineKnobs, sides: readonly Side[], element: string): void {
  preamble.require(
    'copy_async',
    `// Starts a copy of 4, 8 or 16 bytes from global to shared memory, which takes no registers; zeros where the source is not inside.
template <int BYTES>
__device__ __forceinline__ void copy_async(unsigned to, const void* from, bool inside) {
  const int read = inside ? BYTES : 0;
  if constexpr (BYTES == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(read) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(BYTES), "r"(read) : "memory");
}

// What this thread has started since the last group is one that can be waited for.
__device__ __forceinline__ void copies_make_a_group() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until no more than the last COUNT groups of this thread's copies are on their way.
template <int COUNT>
__device__ __forceinline__ void wait_for_all_groups_but() {
  asm volatile("cp.async.wait_group %0;" ::"n"(COUNT) : "memory");
}`,
  );
  const matrices = (suffix: string, modifier: string, words: string) =>
    preamble.require(
      `load_matrices${suffix}`,
      `// Four matrices of eight rows of 16 bytes, ${words}; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void load_matrices${suffix}(unsigned (&to)[4], unsigned row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4${modifier}.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}`,
    );
  if (sides.some(({ alongDepth }) => alongDepth)) matrices('', '', 'as mma.sync takes them');
  if (knobs.arithmetic === 'half' && sides.some(({ alongDepth }) => !alongDepth))
    matrices('_transposed', '.trans', 'each transposed');
  const shape = `m16n8k${pipelineDepth(knobs)}`;
  preamble.require(
    `multiply_add_${element}`,
    `// Adds the product of fragments of 16 x ${pipelineDepth(knobs)} and ${pipelineDepth(knobs)} x 8 to a fragment of sums, on the tensor cores.
__device__ __forceinline__ void multiply_add_${element}(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.${shape}.row.col.f32.${element}.${element}.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}`,
  );
}
