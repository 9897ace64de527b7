/**
 * How tiles get from global to shared memory in a pipeline: by asynchronous copies; or through a thread's registers, sixteen bytes at a time, where
 * `wgmma` will read them and nobody could change them later: float is rounded to tf32, what that leaves put beside it where it counts, and, where it lies across k, turned round in squares of 4 x 4, as
 * wgmma takes 32 bits along k alone; and rows that begin at any element are cut out of the aligned packs that they lie in.
 */
import type { Side } from './operand-tile.ts';
import {
  CHUNK,
  EIGHT,
  grouped,
  inTwoParts,
  isAcross32,
  PANEL,
  type PipelineKnobs,
  pipelineElementBytes,
  type TilePlan,
  turnOf,
} from './pipeline-plan.ts';
import type { CodeWriter } from './writer.ts';

/** Declares where a thread's first piece of a tile comes from and goes to. `bTiles`: bytes from the tiles of `a` to those of `b`. */
export function writeFillPlace(
  body: CodeWriter,
  own: Side,
  tile: TilePlan,
  knobs: PipelineKnobs,
  bTiles: number,
): void {
  const { name, outer, indexType } = own;
  const { copyBytes, copiesPerRow, rowsPerThread, way } = tile;
  const element = pipelineElementBytes(knobs);
  const elements = copyBytes / element;
  const perChunk = CHUNK / copyBytes;
  const rows = rowsPerThread === 1 ? 'this row' : `${rowsPerThread} rows from this one on`;
  body.line(
    `// Of ${name}'s tile a thread ${way === 'copies' ? 'copies' : 'carries'} ${copyBytes} bytes of ${rows}, and of every ${tile.rowsPerRound}th from there.`,
  );
  body.line(
    `const int ${name}_row = threadIdx.x / ${copiesPerRow}${rowsPerThread === 1 ? '' : ` * ${rowsPerThread}`};`,
  );
  body.line(`const int ${name}_column = threadIdx.x % ${copiesPerRow}${elements === 1 ? '' : ` * ${elements}`};`);
  const [at, deep] = tile.alongDepth ? [`${name}_row`, `${name}_column`] : [`${name}_column`, `${name}_row`];
  const term = (text: string, stride: number) =>
    stride === 1 ? text : `static_cast<${indexType}>(${text}) * ${stride}`;
  body.line(
    `const auto* ${name}_from = ${name}_matrix + ${term(`(block_${outer} + ${at})`, own.outerStride)} + ${term(deep, own.depthStride)};`,
  );
  const within = perChunk === 1 ? '' : ` + ${name}_column % ${CHUNK / element} * ${element}`;
  body.line(
    `const int ${name}_into = threadIdx.x % ${copiesPerRow}${perChunk === 1 ? '' : ` / ${perChunk}`};  // the chunk of the row`,
  );
  const turned = tile.steady ? ` + ${chunkAt(own, tile, knobs, `${name}_row`)}` : '';
  const [type, start] =
    way === 'copies'
      ? ['const unsigned', `${name}_tiles`]
      : ['unsigned char* const', name === 'a' ? 'memory' : `memory + ${bTiles}`];
  if (way === 'registers' && cutsPacks(own, knobs)) {
    body.line(`unsigned ${name}_before[${rowsPerThread}];  // bytes into a pack, the same in all steps`);
    body.line('#pragma unroll');
    body.line(
      `for (int line = 0; line < ${rowsPerThread}; ++line) ${name}_before[line] = bytes_into_pack(${name}_from + line * ${own.depthStride});`,
    );
  }
  body.line(`${type} ${name}_to = ${start} + ${name}_row * ${tile.pitch}${turned}${within};`);
}

/** C++ of where the chunk that a thread fills lies in a row of this number, bytes from the row's start. */
function chunkAt(own: Side, tile: TilePlan, knobs: PipelineKnobs, row: string): string {
  return chunkTurned(own, tile, knobs, turnOf(row, tile, isAcross32(tile.alongDepth, knobs)));
}

/** The same in the row of a round's piece, where the turn is not the first row's. */
function chunkOfRound(own: Side, tile: TilePlan, knobs: PipelineKnobs): string {
  const { name } = own;
  const { rowsPerRound } = tile;
  const byEight = tile.pitch >= EIGHT * CHUNK && !isAcross32(tile.alongDepth, knobs);
  // Four rows on, of eight in turn, is the exchange of a bit, for which nothing of the row is computed again.
  return byEight && rowsPerRound % EIGHT === 4
    ? chunkTurned(own, tile, knobs, `${name}_row % ${EIGHT} ^ round % 2 * 4`)
    : chunkAt(own, tile, knobs, `(${name}_row + round * ${rowsPerRound})`);
}

function chunkTurned({ name }: Side, tile: TilePlan, knobs: PipelineKnobs, turn: string): string {
  if (!grouped(knobs) || tile.alongDepth) return `(${name}_into ^ (${turn})) * ${CHUNK}`;
  return `${name}_into / ${EIGHT} * ${tile.rows * PANEL} + (${name}_into % ${EIGHT} ^ (${turn})) * ${CHUNK}`;
}

/** A thread's copies of one tile, `k0` deep, into a stage; zeros outside of the matrix. */
export function writeCopies(
  body: CodeWriter,
  own: Side,
  tile: TilePlan,
  knobs: PipelineKnobs,
  k: number,
  threads: number,
): void {
  const { name } = own;
  const row = `${name}_row + round * ${tile.rowsPerRound}`;
  body.line('#pragma unroll');
  body.open(`for (int round = 0; round < ${roundsOf(tile)}; ++round) {`);
  const turned = tile.steady ? '' : ` + ${chunkOfRound(own, tile, knobs)}`;
  const copy = `copy_async<${tile.copyBytes}>(${name}_to + stage * ${tile.bytes} + round * ${tile.rowsPerRound * tile.pitch}${turned}, ${name}_from + round * ${roundStride(own, tile)}, ${insideOf(own, tile, knobs, k, '') || 'true'});`;
  body.line(isWhole(tile, threads) ? copy : `if (${row} < ${tile.rows}) ${copy}`);
  body.close();
  body.line(`${name}_from += ${knobs.blockK * own.depthStride};`);
}

const roundsOf = ({ rows, rowsPerRound }: TilePlan): number => Math.ceil(rows / rowsPerRound);
/** Whether all threads have a piece in the last round, too. */
const isWhole = ({ rows, copiesPerRow, rowsPerThread }: TilePlan, threads: number): boolean =>
  ((rows / rowsPerThread) * copiesPerRow) % threads === 0;
/** Elements of the operand from a thread's piece to that of the next round. */
const roundStride = (own: Side, tile: TilePlan): number =>
  tile.rowsPerRound * (tile.alongDepth ? own.outerStride : own.depthStride);

/** C++ of whether the operand has the element `plus` (` + 2`) along memory from the start of a thread's piece on; empty where it always has. */
function insideOf(own: Side, tile: TilePlan, knobs: PipelineKnobs, k: number, plus: string): string {
  const { name, outer, extent, block } = own;
  const row = `${name}_row + round * ${tile.rowsPerRound}`;
  // Where a piece is turned round its lines lie one after the other along k, its elements along the other dimension.
  const turned = tile.rowsPerThread > 1;
  const [at, deep] = tile.alongDepth
    ? [`${row}${turned ? plus : ''}`, `${name}_column${turned ? ' + line' : plus}`]
    : [`${name}_column${plus}`, row];
  const tests: string[] = [];
  if (extent % block !== 0) tests.push(`block_${outer} + ${at} < ${extent}`);
  if (k % knobs.blockK !== 0) tests.push(`k0 + ${deep} < ${k}`);
  return tests.join(' && ');
}

/** Declares `NAME_put`, which puts what a thread has read of a tile in a round into a stage, rounded and turned round as wgmma takes it. */
export function writePut(body: CodeWriter, own: Side, tile: TilePlan, knobs: PipelineKnobs, type: string): void {
  const { name } = own;
  const { rowsPerThread, rowsPerRound } = tile;
  const pack = packOf(knobs, type);
  const rounded = knobs.arithmetic !== 'half';
  const twoParts = inTwoParts(knobs);
  body.open(`auto ${name}_put = [&](int stage, int round, ${pack} (&lines)[${rowsPerThread}]) {`);
  if (twoParts) body.line(`${pack} rests[${rowsPerThread}];  // what rounding leaves`);
  if (rounded) {
    body.line('#pragma unroll');
    body.open(`for (int v = 0; v < ${(CHUNK / 4) * rowsPerThread}; ++v) {`);
    body.line('float& own = lines[v / 4].at[v % 4];');
    if (twoParts) body.line('const float whole = own;');
    body.line('own = nvcuda::wmma::__float_to_tf32(own);');
    if (twoParts) body.line('rests[v / 4].at[v % 4] = nvcuda::wmma::__float_to_tf32(whole - own);');
    body.close();
  }
  const parts = twoParts ? (['lines', 'rests'] as const) : (['lines'] as const);
  const to = (part: (typeof parts)[number], plus: string, chunk: string) =>
    `*reinterpret_cast<${pack}*>(${name}_to + stage * ${tile.bytes}${part === 'lines' ? '' : ` + ${tile.partBytes}`} + (round * ${rowsPerRound}${plus}) * ${tile.pitch}${tile.steady ? '' : ` + ${chunk}`})`;
  if (rowsPerThread === 1)
    for (const part of parts) body.line(`${to(part, '', chunkOfRound(own, tile, knobs))} = ${part}[0];`);
  else {
    body.line('// What lay one below the other lies side by side now.');
    body.line('#pragma unroll');
    body.open(`for (int v = 0; v < ${rowsPerThread}; ++v) {`);
    const chunk = chunkAt(own, tile, knobs, `(${name}_row + round * ${rowsPerRound} + v)`);
    for (const part of parts) {
      const turned = Array.from({ length: rowsPerThread }, (_, line) => `${part}[${line}].at[v]`).join(', ');
      body.line(`${to(part, ' + v', chunk)} = {${turned}};`);
    }
    body.close();
  }
  body.close('};');
}

const packOf = (knobs: PipelineKnobs, type: string): string => `Pack<${type}, ${CHUNK / pipelineElementBytes(knobs)}>`;

/** Whether pieces begin at any element of a contiguous row, so that they are cut out of the packs that they lie in. */
export function cutsPacks(own: Side, knobs: PipelineKnobs): boolean {
  return own.vector < CHUNK / pipelineElementBytes(knobs) && (own.alongDepth ? own.depthStride : own.outerStride) === 1;
}

/** A thread's share of one tile, `k0` deep, on its way through registers into a stage; zeros outside of the matrix. */
export function writeCarry(
  body: CodeWriter,
  own: Side,
  tile: TilePlan,
  knobs: PipelineKnobs,
  k: number,
  threads: number,
  type: string,
): void {
  const { name, outer, extent, block } = own;
  const { blockK } = knobs;
  const elements = CHUNK / pipelineElementBytes(knobs);
  const { rowsPerThread } = tile;
  const rounds = (unroll: string, read: () => void) => {
    body.line(`#pragma unroll${unroll}`);
    body.open(`for (int round = 0; round < ${roundsOf(tile)}; ++round) {`);
    if (!isWhole(tile, threads)) body.line(`if (${name}_row + round * ${tile.rowsPerRound} >= ${tile.rows}) break;`);
    body.line(`${packOf(knobs, type)} lines[${rowsPerThread}] = {};`);
    body.line('#pragma unroll');
    body.open(`for (int line = 0; line < ${rowsPerThread}; ++line) {`);
    body.line(
      `const auto* from = ${name}_from + round * ${roundStride(own, tile)}${rowsPerThread === 1 ? '' : ` + line * ${own.depthStride}`};`,
    );
    read();
    body.close();
    body.line(`${name}_put(stage, round, lines);`);
    body.close();
  };
  if (own.vector === elements) {
    const inside = insideOf(own, tile, knobs, k, '');
    const read = `lines[line] = *reinterpret_cast<const ${packOf(knobs, type)}*>(from);`;
    rounds('', () => body.line(inside ? `if (${inside}) ${read}` : read));
  } else {
    // Packs across a piece reach up to a piece beyond it: not at the end of rows.
    const [reachK, reachOuter] = own.alongDepth ? [elements, 0] : [0, elements];
    const tests = [`k0 + ${blockK + reachK} <= ${k}`];
    if (reachOuter > 0 || extent % block !== 0) tests.push(`block_${outer} + ${block + reachOuter} <= ${extent}`);
    const slowly = () =>
      rounds(' 1', () => {
        const inside = insideOf(own, tile, knobs, k, ' + v');
        const read = `lines[line].at[v] = from[v * ${own.alongDepth ? own.depthStride : own.outerStride}];`;
        body.line('#pragma unroll');
        body.line(`for (int v = 0; v < ${elements}; ++v)`);
        body.line(`  ${inside ? `if (${inside}) ${read}` : read}`);
      });
    if (cutsPacks(own, knobs)) {
      body.open(`if (${tests.join(' && ')}) {`);
      const further = (roundStride(own, tile) * pipelineElementBytes(knobs)) % CHUNK;
      const before = further === 0 ? `${name}_before[line]` : `(${name}_before[line] + round * ${further}) % ${CHUNK}`;
      rounds('', () => body.line(`lines[line] = read_across_packs(from, ${before});`));
      body.close();
      body.open('else {  // at an edge: element by element');
      slowly();
      body.close();
    } else slowly();
  }
  body.line(`${name}_from += ${blockK * own.depthStride};`);
}
