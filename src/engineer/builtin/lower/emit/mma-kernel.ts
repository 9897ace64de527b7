/**
 * A kernel for a matrix product on tensor cores: a block computes a tile of the output from tiles of both operands in shared memory, a warp a
 * smaller tile as fragments of 16 x 16 (`nvcuda::wmma`); what follows the product is done before the store.
 *
 * Operands of 16 bits are multiplied as they are. Those of 32 bits are rounded to tf32 where the precision policy allows that; else each is the sum of
 * two tf32 numbers, a rounded one and the rest, and three products leave out only rest times rest: 22 bits of each operand count, and sums are of 24
 * (Ootomo and Yokota, "Recovering single precision accuracy from Tensor Cores", IJHPCA 2022). Infinite operands give NaN then, as infinity times
 * a rest of zero does.
 */
import type { Group } from '../groups.ts';
import type { Program } from '../program.ts';
import { storage } from '../scalar.ts';
import { product } from '../strides.ts';
import { type Kernel, type Preamble, requirePack, STATIC_SHARED } from './kernel-context.ts';
import {
  rounds,
  type Side,
  side,
  type TileShape,
  tileableContraction,
  writeBatch,
  writePlace,
  writeReach,
} from './operand-tile.ts';
import { FRAGMENT, stripBytes, writeStrips } from './product-epilogue.ts';
import { productKernel } from './product-kernel.ts';
import { planRows } from './row-plan.ts';
import { CodeWriter } from './writer.ts';

export interface MmaKnobs extends TileShape {
  /** What is multiplied: the operands' own 16 bits, float rounded to tf32, or float in two parts of tf32 each. */
  arithmetic: 'half' | 'tf32' | 'tf32x3';
  /** Output rows and columns a warp; multiples of 16. */
  warpM: number;
  warpN: number;
  /** 1: one pair of tiles, which waits while it is filled. 2: one pair is filled while the other is used. Both read ahead into registers. */
  stages: number;
}

export function mmaThreads({ blockM, blockN, warpM, warpN }: MmaKnobs): number {
  return 32 * (blockM / warpM) * (blockN / warpN);
}

/** Depth of a fragment of an operand. */
export function mmaDepth({ arithmetic }: Pick<MmaKnobs, 'arithmetic'>): number {
  return arithmetic === 'half' ? 16 : 8;
}

const elementBytes = ({ arithmetic }: MmaKnobs): number => (arithmetic === 'half' ? 2 : 4);
/** Tiles an operand has: with a rest there are two. */
const parts = ({ arithmetic }: MmaKnobs): readonly string[] => (arithmetic === 'tf32x3' ? ['', '_rest'] : ['']);
/** Elements after each row of a tile: 16 bytes spread rows over banks and keep packs aligned. */
const padding = (knobs: MmaKnobs): number => 16 / elementBytes(knobs);

/** Whether each operand's neighbours in memory lie along k: its tile lies as it does. */
export interface MmaLayout {
  a: boolean;
  b: boolean;
}

/** Rows and columns of an operand's tile with its padding. */
function extents(alongDepth: boolean, block: number, knobs: MmaKnobs): [rows: number, columns: number] {
  return alongDepth ? [block, knobs.blockK + padding(knobs)] : [knobs.blockK, block + padding(knobs)];
}

/** Bytes of all stages of an operand's tile, without a rest. */
function tileBytes(alongDepth: boolean, block: number, knobs: MmaKnobs): number {
  return knobs.stages * product(extents(alongDepth, block, knobs)) * elementBytes(knobs);
}

/** Shared memory of a kernel, bytes: the tiles, and in their place at the end what goes out. */
export function mmaSharedBytes(layout: MmaLayout, knobs: MmaKnobs): number {
  const tiles = tileBytes(layout.a, knobs.blockM, knobs) + tileBytes(layout.b, knobs.blockN, knobs);
  return Math.max(parts(knobs).length * tiles, stripBytes(knobs));
}

export function mmaKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: MmaKnobs,
  preamble: Preamble,
): Kernel {
  const step = tileableContraction(program, group);
  const { contraction } = step;
  const { k } = contraction;
  const { blockM, blockN, blockK, warpM, warpN, stages } = knobs;
  const plan = planRows(program, group, stored, { keep: 'reload', softmax: 'two-pass' }, preamble);
  const { context } = plan;
  const threads = mmaThreads(knobs);
  const sides = [side(context, contraction, 'a', knobs), side(context, contraction, 'b', knobs)] as const;
  const type = knobs.arithmetic === 'half' ? storage[context.value(contraction.a.value).dtype].type : 'float';
  requirePack(preamble);

  const body = new CodeWriter();
  const warpsN = blockN / warpN;
  body.line('const int lane = threadIdx.x % 32;');
  body.line('const int warp = threadIdx.x / 32;');
  body.line(`const int warp_m = ${warpsN === 1 ? 'warp' : `warp / ${warpsN}`} * ${warpM};`);
  body.line(`const int warp_n = ${warpsN === 1 ? '0' : `warp % ${warpsN} * ${warpN}`};`);
  body.line(`const int block_m = blockIdx.y * ${blockM};`);
  body.line(`const int block_n = blockIdx.x * ${blockN};`);
  writeBatch(body, context, contraction, sides);
  const layout = { a: sides[0].alongDepth, b: sides[1].alongDepth };
  body.line('// Tiles lie as their operands do in memory; the padding spreads rows over banks.');
  const sharedBytes = mmaSharedBytes(layout, knobs);
  const dynamic = sharedBytes > STATIC_SHARED;
  body.line(
    dynamic
      ? 'extern __shared__ __align__(1024) unsigned char memory[];'
      : `__shared__ __align__(32) unsigned char memory[${sharedBytes}];`,
  );
  let offset = 0;
  for (const own of sides)
    for (const part of parts(knobs)) {
      const size = `[${[stages, ...extents(own.alongDepth, own.block, knobs)].join('][')}]`;
      const at = offset === 0 ? 'memory' : `memory + ${offset}`;
      body.line(`${type} (&${own.name}_tile${part})${size} = *reinterpret_cast<${type} (*)${size}>(${at});`);
      offset += tileBytes(own.alongDepth, own.block, knobs);
    }
  body.line(
    `nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, ${mmaDepth(knobs)}, float> sums[${warpM / FRAGMENT}][${warpN / FRAGMENT}];`,
  );
  overFragments(body, knobs, () => body.line('nvcuda::wmma::fill_fragment(sums[p][q], 0.0f);'));
  for (const own of sides)
    body.line(`Pack<${type}, ${own.vector}> ${own.name}_next[${rounds(own, knobs, threads)}];  // read ahead`);

  const fetch = (k0: string) => {
    for (const own of sides) writeFetch(body, own, knobs, threads, k, k0, type);
  };
  const put = (stage: string) => {
    for (const own of sides) writePut(body, own, knobs, threads, type, stage);
  };
  const tiles = Math.ceil(k / blockK);
  const ahead = (write: () => void) => {
    body.open(`if (tile + 1 < ${tiles}) {`);
    write();
    body.close();
  };
  fetch('0');
  if (stages === 2) {
    put('0');
    body.line('__syncthreads();');
  }
  body.open(`for (int tile = 0; tile < ${tiles}; ++tile) {`);
  if (stages === 1) {
    put('0');
    body.line('__syncthreads();');
  } else body.line('const int now = tile % 2;');
  ahead(() => fetch(`(tile + 1) * ${blockK}`));
  writeProducts(body, sides, knobs, type, stages === 1 ? '0' : 'now');
  if (stages === 2) ahead(() => put('1 - now'));
  body.line('__syncthreads();');
  body.close();
  writeStrips(body, plan, step, stored, knobs, (columns, row) => {
    for (let part = 0; part < columns / FRAGMENT; part++) {
      const [of, at] = part === 0 ? ['q', 'out'] : [`q + ${part}`, `out + ${part * FRAGMENT}`];
      body.line(`nvcuda::wmma::store_matrix_sync(${at}, sums[p][${of}], ${row}, nvcuda::wmma::mem_row_major);`);
    }
  });

  return productKernel({
    ...{ name, program, group, stored, context, contraction, shape: knobs, threads, body },
    sharedBytes: dynamic ? sharedBytes : undefined,
    how: ` on tensor cores (${words[knobs.arithmetic]})`,
    share: `a warp ${warpM} x ${warpN}`,
  });
}

const words: Readonly<Record<MmaKnobs['arithmetic'], string>> = {
  half: 'as they are',
  tf32: 'rounded to tf32',
  tf32x3: 'in two parts of tf32 each',
};

/** A loop over the warp's fragments of the result: `sums[p][q]`. */
function overFragments(body: CodeWriter, { warpM, warpN }: MmaKnobs, write: () => void): void {
  body.line('#pragma unroll');
  body.open(`for (int p = 0; p < ${warpM / FRAGMENT}; ++p) {`);
  body.line('#pragma unroll');
  body.open(`for (int q = 0; q < ${warpN / FRAGMENT}; ++q) {`);
  write();
  body.close();
  body.close();
}

/** Reads a thread's share of the next tile into registers, zeros outside of the matrix. */
function writeFetch(
  body: CodeWriter,
  own: Side,
  knobs: MmaKnobs,
  threads: number,
  k: number,
  k0: string,
  type: string,
): void {
  body.line('#pragma unroll');
  body.open(`for (int round = 0; round < ${rounds(own, knobs, threads)}; ++round) {`);
  writePlace(body, own, knobs, threads, 'round');
  const { index, inside } = writeReach(body, own, knobs, k, k0);
  const pack = `Pack<${type}, ${own.vector}>`;
  const read = `${own.name}_next[round] = *reinterpret_cast<const ${pack}*>(${own.name}_matrix + ${index});`;
  if (inside) body.line(`${own.name}_next[round] = {};`);
  body.line(inside ? `if (${inside}) ${read}` : read);
  body.close();
}

/** Writes what was read ahead to shared memory, rounded as the arithmetic asks. */
function writePut(body: CodeWriter, own: Side, knobs: MmaKnobs, threads: number, type: string, stage: string): void {
  const { name, vector } = own;
  const pack = `Pack<${type}, ${vector}>`;
  const cell = own.alongDepth ? `[${own.outer}_at][k_at]` : `[k_at][${own.outer}_at]`;
  const target = (part: string) => `*reinterpret_cast<${pack}*>(&${name}_tile${part}[${stage}]${cell})`;
  body.line('#pragma unroll');
  body.open(`for (int round = 0; round < ${rounds(own, knobs, threads)}; ++round) {`);
  writePlace(body, own, knobs, threads, 'round');
  if (knobs.arithmetic === 'half') body.line(`${target('')} = ${name}_next[round];`);
  else {
    const exact = knobs.arithmetic === 'tf32x3';
    body.line(`${pack} rounded${exact ? ', rest' : ''};`);
    body.line('#pragma unroll');
    body.open(`for (int v = 0; v < ${vector}; ++v) {`);
    body.line(`rounded.at[v] = nvcuda::wmma::__float_to_tf32(${name}_next[round].at[v]);`);
    if (exact) body.line(`rest.at[v] = nvcuda::wmma::__float_to_tf32(${name}_next[round].at[v] - rounded.at[v]);`);
    body.close();
    body.line(`${target('')} = rounded;`);
    if (exact) body.line(`${target('_rest')} = rest;`);
  }
  body.close();
}

function writeProducts(
  body: CodeWriter,
  sides: readonly [Side, Side],
  knobs: MmaKnobs,
  type: string,
  stage: string,
): void {
  const depth = mmaDepth(knobs);
  const element = knobs.arithmetic === 'half' ? type : 'nvcuda::wmma::precision::tf32';
  body.line('#pragma unroll');
  body.open(`for (int k_at = 0; k_at < ${knobs.blockK}; k_at += ${depth}) {`);
  for (const own of sides) {
    const count = (own.name === 'a' ? knobs.warpM : knobs.warpN) / FRAGMENT;
    // Rows of a are m and of b are k: a tile along the depth is `a` by rows, `b` by columns.
    const order = own.alongDepth === (own.name === 'a') ? 'row_major' : 'col_major';
    const [, columns] = extents(own.alongDepth, own.block, knobs);
    for (const part of parts(knobs)) {
      body.line(
        `nvcuda::wmma::fragment<nvcuda::wmma::matrix_${own.name}, 16, 16, ${depth}, ${element}, nvcuda::wmma::${order}> ${own.name}${part}[${count}];`,
      );
      const outer = `warp_${own.outer} + p * ${FRAGMENT}`;
      const at = own.alongDepth ? `[${outer}][k_at]` : `[k_at][${outer}]`;
      body.line('#pragma unroll');
      body.line(
        `for (int p = 0; p < ${count}; ++p) nvcuda::wmma::load_matrix_sync(${own.name}${part}[p], &${own.name}_tile${part}[${stage}]${at}, ${columns});`,
      );
    }
  }
  overFragments(body, knobs, () => {
    if (knobs.arithmetic === 'tf32x3') {
      body.line('// The small products first, so that they are not lost beside the large one.');
      body.line('nvcuda::wmma::mma_sync(sums[p][q], a_rest[p], b[q], sums[p][q]);');
      body.line('nvcuda::wmma::mma_sync(sums[p][q], a[p], b_rest[q], sums[p][q]);');
    }
    body.line('nvcuda::wmma::mma_sync(sums[p][q], a[p], b[q], sums[p][q]);');
  });
  body.close();
}
