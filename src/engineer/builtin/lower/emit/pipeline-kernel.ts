/**
 * A kernel for a matrix product on tensor cores that keeps them fed: tiles of both operands go from global to shared memory by asynchronous
 * copies, several steps ahead of the products (`cp.async`, PTX ISA, "Asynchronous copy"), and from there to registers by `ldmatrix`; the products are
 * `mma.sync` of 16 x 8; or, where the target has them, of four warps together (`wgmma`), which read both tiles from shared memory themselves. Registers
 * hold nothing but sums and fragments, so that tiles may be larger than where they are read ahead into registers (`mma-kernel.ts`), and fewer bytes are
 * read from the L2.
 *
 * Operands are of 16 bits, or float rounded to tf32: as a warp reads its fragments, or before wgmma reads the tiles, which then go through registers
 * while the products of the step before are made (`pipeline-fill.ts`). Float that must keep its digits is there in two parts of tf32, of which wgmma makes
 * three products: what is left out is the product of both remainders (Ootomo and Yokota, 2022).
 */
import type { Group } from '../groups.ts';
import type { Program } from '../program.ts';
import { storage } from '../scalar.ts';
import { type Kernel, type Preamble, requirePack } from './kernel-context.ts';
import { type Side, side, tileableContraction, writeBatch } from './operand-tile.ts';
import { cutsPacks, writeCarry, writeCopies, writeFillPlace, writePut } from './pipeline-fill.ts';
import { requireInstructions, requirePackCutting } from './pipeline-instructions.ts';
import {
  CHUNK,
  EIGHT,
  GROUP_ROWS,
  grouped,
  inTwoParts,
  isAcross32,
  overlaps,
  PANEL,
  type PipelineKnobs,
  PRODUCT_BYTES,
  pipelineDepth,
  pipelineElementBytes,
  pipelineSharedBytes,
  pipelineThreads,
  planTiles,
  productRows,
  type TilePlan,
  turnOf,
  warpTiles,
} from './pipeline-plan.ts';
import { FRAGMENT, writeStrips } from './product-epilogue.ts';
import { productKernel } from './product-kernel.ts';
import { planRows } from './row-plan.ts';
import { CodeWriter } from './writer.ts';

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
  const element = knobs.arithmetic !== 'half' ? 'tf32' : dtype === 'float16' ? 'f16' : 'bf16';
  requirePack(preamble);
  const multiply = requireInstructions(preamble, knobs, tiles, element);
  const { type } = storage[dtype];
  const together = grouped(knobs);

  const body = new CodeWriter();
  const unitsN = blockN / warpN;
  body.line('const int lane = threadIdx.x % 32;');
  body.line('const int warp = threadIdx.x / 32;');
  if (together) body.line('const int group = threadIdx.x / 128;  // four warps that multiply together');
  const unit = together ? 'group' : 'warp';
  const first = `${unitsN === 1 ? unit : `${unit} / ${unitsN}`} * ${warpM}`;
  if (together) body.line(`const int group_m = ${first};`);
  body.line(`const int warp_m = ${together ? `group_m + warp % 4 * ${FRAGMENT}` : first};`);
  body.line(`const int warp_n = ${unitsN === 1 ? '0' : `${unit} % ${unitsN} * ${warpN}`};`);
  const tilesN = Math.ceil(n / blockN);
  const grid = writeOrder(body, knobs, Math.ceil(m / blockM), tilesN);
  writeBatch(body, context, contraction, sides);
  const parts = inTwoParts(knobs) ? ', each rounded to tf32 and followed by what that leaves' : '';
  body.line(
    `// Tiles lie in shared memory ${together && knobs.arithmetic !== 'half' ? 'along k' : 'as their operands do in memory'}, one pair of them a stage${parts}.`,
  );
  body.line('extern __shared__ __align__(1024) unsigned char memory[];');
  body.line('const unsigned a_tiles = static_cast<unsigned>(__cvta_generic_to_shared(memory));');
  body.line(`const unsigned b_tiles = a_tiles + ${stages * tiles.a.bytes};`);
  for (const own of sides) writeFillPlace(body, own, tiles[own.name], knobs, stages * tiles.a.bytes);
  if (!together) for (const own of sides) writeReadPlace(body, own, tiles[own.name], knobs);
  body.line(`float sums[${warpM / productRows(knobs)}][${warpN / EIGHT}][4] = {};`);

  const steps = Math.ceil(k / blockK);
  // Where a warpgroup's products of one step go on into the next, the tiles before those are the ones that are free.
  const overlapping = overlaps(knobs);
  const lead = stages - (overlapping ? 2 : 1);
  const byCopies = sides.filter(({ name }) => tiles[name].way === 'copies');
  const throughRegisters = sides.filter(({ name }) => tiles[name].way === 'registers');
  const deep = k % blockK !== 0 || throughRegisters.length > 0;
  const call = (name: string, stage: string | number, at: string | number) =>
    `${name}(${stage}${deep ? `, ${typeof at === 'number' ? at * blockK : `(${at}) * ${blockK}`}` : ''});`;
  const parameters = `int stage${deep ? ', int k0' : ''}`;
  if (byCopies.length > 0) {
    body.line('// Starts the copies of the next pair of tiles.');
    body.open(`auto copy = [&](${parameters}) {`);
    for (const own of byCopies) writeCopies(body, own, tiles[own.name], knobs, k, threads);
    body.close('};');
  }
  if (throughRegisters.some((own) => cutsPacks(own, knobs))) requirePackCutting(preamble);
  for (const own of throughRegisters) writePut(body, own, tiles[own.name], knobs, type);
  if (throughRegisters.length > 0) {
    body.line('// Reads the next pair of tiles and puts them where wgmma finds them.');
    body.open(`auto carry = [&](${parameters}) {`);
    for (const own of throughRegisters) writeCarry(body, own, tiles[own.name], knobs, k, threads, type);
    body.close('};');
  }
  for (let ahead = 0; ahead < lead; ahead++) {
    if (ahead < steps && byCopies.length > 0) body.line(call('copy', ahead, ahead));
    if (ahead < steps && throughRegisters.length > 0) body.line(call('carry', ahead, ahead));
    if (byCopies.length > 0) body.line('copies_make_a_group();');
  }
  body.line(`int now = 0, next = ${lead};  // stages: that of this step's tiles, and one that is free`);
  body.open(`for (int step = 0; step < ${steps}; ++step) {`);
  if (byCopies.length > 0) body.line(`wait_for_all_groups_but<${lead - 1}>();`);
  if (together) body.line('show_tiles_to_wgmma();');
  const free = overlapping ? 'before the last' : 'before';
  body.line(`__syncthreads();  // the tiles have arrived for all, and all are done with those of the step ${free}`);
  const more = `if (step + ${lead} < ${steps})`;
  if (byCopies.length > 0) {
    body.line(`${more} ${call('copy', 'next', `step + ${lead}`)}`);
    body.line('copies_make_a_group();');
  }
  writeProducts(body, sides, tiles, knobs, multiply);
  if (throughRegisters.length > 0)
    body.line(`${more} ${call('carry', 'next', `step + ${lead}`)}  // while tensor cores multiply`);
  if (together) {
    const done = overlapping ? 'those of the step before are done' : 'their tiles are free';
    body.line(`wait_for_products_but<${overlapping ? 1 : 0}>();  // ${done}`);
  }
  body.line(`now = now == ${stages - 1} ? 0 : now + 1;`);
  body.line(`next = next == ${stages - 1} ? 0 : next + 1;`);
  body.close();
  if (overlapping) body.line('wait_for_products_but<0>();');
  body.line('__syncthreads();');
  writeStrips(body, plan, step, stored, warpTiles(knobs), (columns, row) => {
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
    share: `${together ? 'four warps' : 'a warp'} ${warpM} x ${warpN}; ${stages} pairs of tiles in turn`,
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

/**
 * Declares where in a tile a lane's reads begin. For `ldmatrix` a lane gives the address of one row of one of four matrices: of the two halves along k and
 * the two along m or n of a fragment pair of 16, those of `a` are in the order of mma's registers, (k, m), those of `b` (n, k).
 */
function writeReadPlace(body: CodeWriter, own: Side, tile: TilePlan, knobs: PipelineKnobs): void {
  const { name, outer } = own;
  const { alongDepth } = tile;
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

/** The products of a step, as deep as one instruction takes them: of fragments that warps read, or begun by warpgroups, whose instructions read both tiles. */
function writeProducts(
  body: CodeWriter,
  sides: readonly [Side, Side],
  tiles: { a: TilePlan; b: TilePlan },
  knobs: PipelineKnobs,
  multiply: string,
): void {
  const { blockK, warpM, warpN } = knobs;
  const together = grouped(knobs);
  if (together) body.line('registers_are_ready();');
  body.line('#pragma unroll');
  body.open(`for (int part = 0; part < ${blockK / pipelineDepth(knobs)}; ++part) {`);
  if (!together) for (const own of sides) writeFragments(body, own, tiles[own.name], knobs);
  body.line('#pragma unroll');
  body.open(`for (int p = 0; p < ${warpM / productRows(knobs)}; ++p) {`);
  if (together) {
    for (const own of sides) writeDescriptor(body, own, tiles[own.name], '');
    if (inTwoParts(knobs)) {
      for (const own of sides) writeDescriptor(body, own, tiles[own.name], '_rest');
      body.line('// The small products first, so that they are not lost beside the large one.');
      body.line(`${multiply}(sums[p], a_rest, b);`);
      body.line(`${multiply}(sums[p], a, b_rest);`);
    }
    body.line(`${multiply}(sums[p], a, b);`);
  } else {
    body.line('#pragma unroll');
    body.line(
      `for (int q = 0; q < ${warpN / EIGHT}; ++q) ${multiply}(sums[p][q], a[p], b[q / 2][q % 2 * 2], b[q / 2][q % 2 * 2 + 1]);`,
    );
  }
  body.close();
  body.close();
  if (together) body.line('products_make_a_group();');
}

/** Reads a warp's fragments of one tile, `part` deep. */
function writeFragments(body: CodeWriter, own: Side, tile: TilePlan, knobs: PipelineKnobs): void {
  const { warpM, warpN, arithmetic } = knobs;
  const { name, outer } = own;
  const count = (name === 'a' ? warpM : warpN) / FRAGMENT;
  body.line(`unsigned ${name}[${count}][4];`);
  body.line('#pragma unroll');
  body.open(`for (int p = 0; p < ${count}; ++p) {`);
  const stage = `now * ${tile.bytes}`;
  if (isAcross32(tile.alongDepth, knobs)) {
    body.line('#pragma unroll');
    body.open('for (int i = 0; i < 4; ++i) {');
    const [outerHalf, depthHalf] = name === 'a' ? ['i % 2', 'i / 2'] : ['i / 2', 'i % 2'];
    body.line(`const int chunk = (warp_${outer} + p * 16 + ${outerHalf} * 8) / 4 + lane / 16;`);
    body.line(
      `${name}[p][i] = *reinterpret_cast<const unsigned*>(${name}_lane + ${stage} + (part * 8 + ${depthHalf} * 4) * ${tile.pitch} + (chunk ^ lane % 4 * 2) * ${CHUNK});`,
    );
    body.close();
  } else if (tile.alongDepth) {
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

/** Says where wgmma finds a warpgroup's part of one tile, or (`_rest`) of what rounding left of it, `part` deep. */
function writeDescriptor(body: CodeWriter, { name }: Side, tile: TilePlan, suffix: '' | '_rest'): void {
  const line = name === 'a' ? `(group_m + p * ${GROUP_ROWS})` : 'warp_n';
  const panel = tile.rows * PANEL;
  const at = tile.alongDepth
    ? `${line} * ${PANEL} + part * ${PRODUCT_BYTES}`
    : `${line} / ${PANEL / 2} * ${panel} + part * ${(PRODUCT_BYTES / 2) * PANEL}`;
  const start = `${name}_tiles + now * ${tile.bytes}${suffix === '' ? '' : ` + ${tile.partBytes}`}`;
  body.line(`const unsigned long long ${name}${suffix} = matrix_at(${start} + ${at}, ${panel});`);
}
