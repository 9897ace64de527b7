/**
 * The end of a kernel for a matrix product: maps of each sum (bias, activation) and the stores; and for tensor cores, whose sums lie in fragments of a
 * warp's registers, the way by strips through shared memory.
 */
import type { Contraction, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import { planEvaluation, rowMaps, valueKey, writeStep } from './elements.ts';
import type { RowPlan } from './row-plan.ts';
import type { CodeWriter } from './writer.ts';

/**
 * What follows the product for `width` neighbours from row `m`, column `n` (both in scope), and their stores. `sum` is the C++ of a complete sum;
 * its argument is empty, or adds the neighbour's number.
 */
export function writeEpilogue(
  body: CodeWriter,
  plan: RowPlan,
  step: ReduceStep & { contraction: Contraction },
  stored: readonly number[],
  width: number,
  sum: (plus: string) => string,
): void {
  const { context, walk, accesses } = plan;
  const { m, n } = step.contraction;
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
  body.line(`const ${context.computeType(out)} ${context.variable(out)} = ${sum(width > 1 ? ' + v' : '')};`);
  writeRowMaps(body, plan);
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
}

/** Declares what the maps of a row's results read, and their values; the row's coordinates and results are in scope. */
export function writeRowMaps(
  body: CodeWriter,
  { context, walk, accesses }: Pick<RowPlan, 'context' | 'walk' | 'accesses'>,
): void {
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
}

/** How warps share a block's tile of the output. */
export interface WarpTiles {
  blockM: number;
  blockN: number;
  warpM: number;
  warpN: number;
  /** Rows from one fragment of a warp to the next; more than a fragment's where warps take turns in a tile that they share. */
  rowStep?: number;
}

/** Rows and columns of a fragment of the result, as warps hand them out. */
export const FRAGMENT = 16;

/** Columns of what a warp hands out at a time: two fragments side by side fill a line of 128 bytes. */
const stripColumns = ({ warpN }: WarpTiles): number => (warpN % (2 * FRAGMENT) === 0 ? 2 : 1) * FRAGMENT;
/** Floats of a row of it; the padding spreads rows over banks, those of pairs of neighbours too. */
const stripRow = (knobs: WarpTiles): number => stripColumns(knobs) + 8;

/** Bytes of the strips of all warps of a block. */
export function stripBytes(knobs: WarpTiles): number {
  const { blockM, blockN, warpM, warpN, rowStep = FRAGMENT } = knobs;
  return (blockM / warpM) * (blockN / warpN) * rowStep * stripRow(knobs) * 4;
}

/**
 * Sums go through shared memory (`memory`, at least {@link stripBytes} of it, which nobody uses any more), sixteen rows of a warp at a time, so that what
 * follows and the stores walk rows of the output. `put` writes how a warp's fragments from row `p * 16` and column `q * 16` on, so many columns of
 * them, get to `out`, whose rows have so many floats. `warp`, `lane`, `warp_m`, `warp_n`, `block_m` and `block_n` are in scope.
 */
export function writeStrips(
  body: CodeWriter,
  plan: RowPlan,
  step: ReduceStep & { contraction: Contraction },
  stored: readonly number[],
  knobs: WarpTiles,
  put: (columns: number, row: number) => void,
): void {
  const { context } = plan;
  const { m, n } = step.contraction;
  const { blockM, blockN, warpM, warpN, rowStep = FRAGMENT } = knobs;
  const fits = (width: number) => stored.every((id) => storage[context.value(id).dtype].bytes * width <= 16);
  const width = [4, 2].find((own) => n % own === 0 && fits(own)) ?? 1;
  const [columns, row] = [stripColumns(knobs), stripRow(knobs)];
  const packs = columns / width;
  body.line(
    '// Every sum is complete. Sixteen rows of a warp at a time go through what were the tiles, to be written row by row.',
  );
  body.line(`float* out = reinterpret_cast<float*>(memory) + warp * ${FRAGMENT * row};`);
  body.line('#pragma unroll');
  body.open(`for (int p = 0; p < ${warpM / rowStep}; ++p) {`);
  body.line('#pragma unroll');
  body.open(`for (int q = 0; q < ${warpN / FRAGMENT}; q += ${columns / FRAGMENT}) {`);
  put(columns, row);
  body.line('__syncwarp();');
  body.line('#pragma unroll');
  body.open(`for (int place = lane; place < ${FRAGMENT * packs}; place += 32) {`);
  body.line(`const int m_at = place / ${packs};`);
  body.line(`const int n_at = place % ${packs}${width === 1 ? '' : ` * ${width}`};`);
  body.line(`const int m = block_m + warp_m + p * ${rowStep} + m_at;`);
  body.line(`const int n = block_n + warp_n + q * ${FRAGMENT} + n_at;`);
  const outside = [m % blockM === 0 ? '' : `m >= ${m}`, n % blockN === 0 ? '' : `n >= ${n}`].filter(Boolean);
  if (outside.length > 0) body.line(`if (${outside.join(' || ')}) continue;`);
  const at = `out[m_at * ${row} + n_at]`;
  if (width > 1) body.line(`const auto sums_pack = *reinterpret_cast<const Pack<float, ${width}>*>(&${at});`);
  writeEpilogue(body, plan, step, stored, width, () => (width > 1 ? 'sums_pack.at[v]' : at));
  body.close();
  body.line('__syncwarp();');
  body.close();
  body.close();
}
