/**
 * A kernel for a window that slides over a tensor (pooling), and the maps of its results.
 *
 * A thread takes a strip: outputs next to each other along the first windowed dimension, one below another. What the window folds of one slice of the
 * input across that dimension is folded once and kept in a ring of registers for as long as it is under the window, so that a slice is read once for all
 * outputs of a strip that it has a part in. Whether the window reaches past an edge of the other dimensions is the same along a strip: it is asked before,
 * and the reads of the interior have no tests at all.
 */
import type { Group } from '../groups.ts';
import type { Program, ReduceStep, Window } from '../program.ts';
import { storage } from '../scalar.ts';
import { type Affine, product } from '../strides.ts';
import { Accesses } from './elements.ts';
import { type FoldText, foldText } from './fold-text.ts';
import { type Kernel, KernelContext, type Preamble } from './kernel-context.ts';
import { writeRowMaps } from './product-epilogue.ts';
import { Walk } from './walk.ts';
import { CodeWriter } from './writer.ts';

export interface WindowKnobs {
  /** Threads a block. */
  block: number;
  /** Outputs of a thread along the first windowed dimension. */
  strip: number;
  /**
   * How a slice is folded. `reads`: a thread reads what lies under its own window. `shared`: where there is one other dimension (or one in all) a thread reads one
   * column of the input, neighbours next to each other whatever the window's stride, and the columns' folds are folded through shared memory.
   */
  across: 'reads' | 'shared';
}

type WindowStep = ReduceStep & { window: Window };

/** One dimension of a window, and where it stands in the domain. */
interface Along {
  /** Output positions, and elements of the window. */
  outputs: number;
  taps: number;
  size: number;
  stride: number;
  dilation: number;
  padding: number;
  /** Elements of the input between neighbours. */
  pitch: number;
  /** The output coordinate, as an access over the group's dimensions. */
  coordinate: Affine;
}

interface WindowPlan {
  context: KernelContext;
  accesses: Accesses;
  walk: Walk;
  step: WindowStep;
  input: number;
  /** Element of the input at position 0 of every windowed dimension. */
  base: Affine;
  along: readonly Along[];
}

function windowStep(group: Group): WindowStep | undefined {
  return group.steps.find((step): step is WindowStep => step.kind === 'reduce' && step.window !== undefined);
}

/** Whether a group is one sliding window and maps of its results, over dimensions that are the window's own. */
export function isWindow(group: Group): boolean {
  const step = windowStep(group);
  if (
    !step ||
    group.steps.some(
      (other) => other !== step && (other.kind !== 'map' || !(other.virtual || rowMap(group, other.out))),
    )
  )
    return false;
  const { domain, window } = step;
  const outputs = domain.slice(2, 2 + window.length);
  // Coordinates along a strip need a dimension to lie along; places in one channel are counted with 32 bits.
  if (window.length > 1 && outputs[0] === 1) return false;
  if (Math.max(product(outputs), product(window.map(({ size }) => size))) >= 2 ** 31) return false;
  // Maps of the results may cut batch and channels finer, but not the dimensions along which windows slide.
  const { dimensions } = group.structure;
  const slid = [...outputs, ...domain.slice(2 + window.length)].filter((size) => size > 1);
  return String(dimensions.slice(dimensions.length - slid.length).map(({ size }) => size)) === String(slid);
}

const rowMap = (group: Group, out: number) => group.structure.role.get(out) === 'row';

function planWindow(program: Program, group: Group, stored: readonly number[], preamble: Preamble): WindowPlan {
  const context = new KernelContext(program, group, preamble);
  const accesses = new Accesses(context, stored);
  const step = windowStep(group)!;
  const virtual = group.steps.find((other) => other.kind === 'map' && other.out === step.input.value);
  const load = virtual?.kind === 'map' ? virtual.operands.find((operand) => operand.kind === 'load') : undefined;
  if (load?.kind !== 'load') throw new Error('a window reads nothing');
  const dims = step.window;
  const only = (d: number): Affine => ({
    strides: context.refine(step.domain, { strides: step.domain.map((_, k) => (k === d ? 1 : 0)), offset: 0 }).strides,
    offset: 0,
  });
  const along = dims.map(
    (own, d): Along => ({
      ...own,
      outputs: step.domain[2 + d]!,
      taps: step.domain[2 + dims.length + d]!,
      pitch: load.strides[2 + d]! / own.stride,
      coordinate: only(2 + d),
    }),
  );
  const base = context.refine(step.domain, {
    strides: load.strides.map((stride, d) => (d < 2 ? stride : 0)),
    offset: load.offset + along.reduce((sum, { padding, pitch }) => sum + padding * pitch, 0),
  });
  const row = { row: 'row', column: 'j', indexType: context.indexType };
  const all = [...accesses.all(), base, ...along.map(({ coordinate }) => coordinate)];
  return {
    context,
    accesses,
    walk: new Walk(group.structure.dimensions, all, row),
    step,
    input: load.value,
    base,
    along,
  };
}

/** Of a window's one other dimension, or of its only one: elements that it reaches over, its stride, outputs. */
export interface Across {
  reach: number;
  stride: number;
  outputs: number;
}

/** Blocks next to each other, when a thread takes a column of the input, over all outputs of a line. */
export function windowTiles(block: number, { reach, stride, outputs }: Across): number {
  return Math.ceil(outputs / (Math.floor((block - 1 - reach) / stride) + 1));
}

/** What choices for a window rest on; see the group's facts. */
export function windowFacts(group: Group): {
  length: number;
  columns: number;
  overlap: number;
  across?: Across;
} {
  const { domain, window } = windowStep(group)!;
  const rank = window.length;
  const rows = product(domain.slice(0, 2 + rank));
  const last = window.at(-1)!;
  const across =
    rank <= 2 && domain[1 + rank]! > 1
      ? { reach: (domain.at(-1)! - 1) * last.dilation, stride: last.stride, outputs: domain[1 + rank]! }
      : undefined;
  if (rank === 1) return { length: 1, columns: rows, overlap: 0, across };
  const { slices, step } = ringOf({ ...window[0]!, taps: domain[2 + rank]! });
  return { length: domain[2]!, columns: rows / domain[2]!, overlap: Math.max(0, slices - step), across };
}

/** Slices under the window that some output uses, and how many of them a step to the next output leaves behind. */
function ringOf({ taps, stride, dilation }: Pick<Along, 'taps' | 'stride' | 'dilation'>) {
  const unit = greatestCommonDivisor(stride, dilation);
  return { slices: (taps - 1) * (dilation / unit) + 1, step: stride / unit, apart: dilation / unit, unit };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

export function windowKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: WindowKnobs,
  preamble: Preamble,
): Kernel {
  const plan = planWindow(program, group, stored, preamble);
  const { context, walk, accesses, step, along } = plan;
  // A window over a line has nothing to keep along it: its neighbours are other threads'.
  const walked = along.length > 1 ? along[0] : undefined;
  const text = foldText(step.fold, context.computeType(step.input.value), preamble, false);
  const [result] = step.outs as [number];
  const state = `${context.value(result).name}_state`;
  const body = new CodeWriter();
  const finish = (folded: string) => {
    body.line(`const ${context.computeType(result)} ${context.variable(result)} = ${text.fields(folded)[0]};`);
    writeRowMaps(body, plan);
    for (const id of stored) {
      const { name: target, dtype } = context.value(id);
      body.line(`${target}[${walk.index(accesses.store(id))}] = ${storage[dtype].store(context.variable(id))};`);
    }
  };
  const part: Part = { plan, body, text, walked, state, knobs, finish };
  const blocks = knobs.across === 'shared' ? writeColumns(part) : writeReads(part);

  const { text: parameters, pointers } = context.parameters(stored);
  const { block, strip } = knobs;
  const size = along.map((own) => own.taps).join(' x ');
  const share = walked && strip > 1 ? `${strip} outputs one below another` : 'an output';
  const how = knobs.across === 'shared' ? ', columns folded in shared memory' : '';
  const operators = [...new Set(group.steps.map((own) => program.nodes[own.node]?.op ?? 'copy'))].join(', ');
  const writer = new CodeWriter();
  writer.line(`// ${operators}: windows of ${size}, ${share} a thread${how}.`);
  writer.open(`__global__ void __launch_bounds__(${block}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  const strips = walked ? Math.ceil(walked.outputs / strip) : 1;
  return { name, text: writer.toString(), pointers, writes: stored, grid: [blocks, strips, 1], block };
}

/** What the writers of a kernel's parts share. */
interface Part {
  plan: WindowPlan;
  body: CodeWriter;
  text: FoldText;
  /** The dimension that strips follow. */
  walked: Along | undefined;
  /** Variable of an output's, or a column's, fold. */
  state: string;
  knobs: WindowKnobs;
  /** Writes what is done with the complete fold of an output. */
  finish: (folded: string) => void;
}

const scaled = (name: string, factor: number) => (factor === 1 ? name : `${name} * ${factor}`);
const moved = (name: string, by: number) => (by === 0 ? name : `${name} - ${by}`);

/** A thread takes outputs and reads all that lies under their windows. Gives the blocks along x. */
function writeReads({ plan, body, text, walked, state, knobs, finish }: Part): number {
  const { context, walk, along } = plan;
  const { indexType } = context;
  const { block } = knobs;
  const inner = walked ? along.slice(1) : along;
  const columns = product(walk.outerSizes) / (walked?.outputs ?? 1);
  const linear = columns + block < 2 ** 31 ? 'int' : indexType;
  body.line(`const ${linear} column = static_cast<${linear}>(blockIdx.x) * ${block} + threadIdx.x;`);
  if (columns % block !== 0) body.line(`if (column >= ${columns}) return;  // the last block is not full`);
  for (const line of walk.coordinatesWithout(walked ? [walked.coordinate] : [], 'column')) body.line(line);
  const at = (d: number) => `at_${d + 1}`;
  inner.forEach(({ coordinate, stride, padding }, d) => {
    const origin = moved(scaled(walk.index(coordinate), stride), padding);
    body.line(`const int ${at(d)} = ${origin};  // where the window begins`);
  });
  const tests = inner.flatMap((own, d) => edgeTests(own, at(d)));
  if (tests.length > 0) body.line(`const bool inside = ${tests.join(' && ')};`);
  writeCorner(
    plan,
    body,
    inner.map(({ pitch }, d) => scaled(at(d), pitch)),
  );
  body.line(`// Folds what the window covers of ${walked ? 'one slice of the input' : 'the line'}.`);
  openSlice(body, context, text, walked);
  const taps = (guarded: boolean) =>
    writeTaps(body, plan, inner, at, guarded, (x) => `folded = ${text.merge}(folded, ${text.lift(x, '0')});`);
  if (tests.length > 0) {
    body.open('if (inside) {');
    taps(false);
    body.close();
    body.open('else {');
    taps(true);
    body.close();
  } else taps(false);
  closeSlice(body);
  writeOutputs({ body, text, walked, walk, state, knobs }, () => finish(state));
  return Math.ceil(columns / block);
}

/** A thread takes a column of the input, and with the others of its block folds columns to outputs in shared memory. Gives the blocks along x. */
function writeColumns({ plan, body, text, walked, state, knobs, finish }: Part): number {
  const { context, walk, along, input } = plan;
  const { block } = knobs;
  const last = along.at(-1)!;
  const reach = (last.taps - 1) * last.dilation;
  const tiles = windowTiles(block, { reach, stride: last.stride, outputs: last.outputs });
  /** Outputs of a block next to each other, and the columns under them: all blocks have as much to do. */
  const wide = Math.ceil(last.outputs / tiles);
  const under = (wide - 1) * last.stride + reach + 1;
  const planes = product(walk.outerSizes) / (walked?.outputs ?? 1) / last.outputs;
  const output = walk.index(last.coordinate);
  const skipped = walked ? [walked.coordinate, last.coordinate] : [last.coordinate];
  body.line(`// The block takes ${wide} outputs next to each other: threads read the columns of the input under them.`);
  const tile = tiles === 1 ? '0' : `blockIdx.x % ${tiles}`;
  if (planes > 1) body.line(`const int plane = ${tiles === 1 ? 'blockIdx.x' : `blockIdx.x / ${tiles}`};`);
  for (const line of walk.coordinatesWithout(skipped, planes > 1 ? 'plane' : '0')) body.line(line);
  body.line(`const int ${output} = ${tiles === 1 ? '' : `${tile} * ${wide} + `}threadIdx.x;`);
  const origin = tiles === 1 ? '' : `${tile} * ${wide * last.stride} + `;
  body.line(`const int at = ${moved(`${origin}static_cast<int>(threadIdx.x)`, last.padding)};  // the thread's column`);
  const low = last.padding > 0 ? 'at >= 0 && ' : '';
  const needed = under < block ? `threadIdx.x < ${under} && ` : '';
  body.line(`const bool inside = ${needed}${low}at < ${last.size};`);
  writeCorner(plan, body, [scaled('at', last.pitch)]);
  body.line('// Reads one element of the column.');
  openSlice(body, context, text, walked);
  body.line(`if (inside) folded = ${text.lift(context.read(input, 'first'), '0')};`);
  closeSlice(body);
  const buffer = walked ? `columns[${walk.index(walked.coordinate)} % 2]` : 'columns';
  body.line(
    `__shared__ ${text.state} columns${walked ? '[2]' : ''}[${block}];${walked ? '  // two in turn: one barrier an output' : ''}`,
  );
  writeOutputs({ body, text, walked, walk, state, knobs }, () => {
    body.line(`${buffer}[threadIdx.x] = ${state};`);
    body.line('__syncthreads();');
    body.open(`if (threadIdx.x < ${wide}${last.outputs % wide === 0 ? '' : ` && ${output} < ${last.outputs}`}) {`);
    const from = scaled('threadIdx.x', last.stride);
    body.line(`${text.state} whole = ${buffer}[${from}];`);
    body.line('#pragma unroll');
    body.line(
      `for (int t = 1; t < ${last.taps}; ++t) whole = ${text.merge}(whole, ${buffer}[${from} + ${scaled('t', last.dilation)}]);`,
    );
    finish('whole');
    body.close();
  });
  return tiles * planes;
}

/** `corner`: the element of the input where the window, or the column, begins, at position 0 of the dimension that strips follow. */
function writeCorner({ context, walk, base }: WindowPlan, body: CodeWriter, places: readonly string[]): void {
  const terms = [walk.index(base), ...places].filter((term) => term !== '0');
  body.line(`const ${context.indexType} corner = ${terms.join(' + ')};`);
}

/** Begins `fold_slice(slice)`, in which `first` is the slice's element at the corner and `folded` what it gives. */
function openSlice(body: CodeWriter, context: KernelContext, text: FoldText, walked: Along | undefined): void {
  body.open(`const auto fold_slice = [&](${walked ? 'int slice' : ''}) {`);
  body.line(`${text.state} folded = ${text.neutral};`);
  if (walked && edgeTests(walked, '').length > 0)
    body.line(`if (slice < 0 || slice >= ${walked.size}) return folded;  // padding`);
  body.line(`const ${context.indexType} first = corner${walked ? ` + ${scaled('slice', walked.pitch)}` : ''};`);
}

function closeSlice(body: CodeWriter): void {
  body.line('return folded;');
  body.close('};');
}

/** The folds of a thread's outputs, one after another, each followed by what `each` writes. */
function writeOutputs(
  {
    body,
    text,
    walked,
    walk,
    state,
    knobs,
  }: Pick<Part, 'body' | 'text' | 'walked' | 'state' | 'knobs'> & { walk: Walk },
  each: () => void,
): void {
  if (walked) {
    writeStrip(
      body,
      walked,
      walk.index(walked.coordinate),
      knobs,
      { state, type: text.state, merge: text.merge },
      each,
    );
    return;
  }
  body.line(`const ${text.state} ${state} = fold_slice();`);
  each();
}

/** C++ that is true where no tap of a window that begins at `at` is outside; none where no window is. */
function edgeTests({ outputs, taps, size, stride, dilation, padding }: Along, at: string): string[] {
  const reach = (taps - 1) * dilation;
  const low = padding > 0 ? [`${at} >= 0`] : [];
  const high = (outputs - 1) * stride - padding + reach >= size ? [`${at} < ${size - reach}`] : [];
  return [...low, ...high];
}

/** Nested loops over the taps of the inner dimensions, written out. */
function writeTaps(
  body: CodeWriter,
  { context, input }: WindowPlan,
  inner: readonly Along[],
  at: (d: number) => string,
  guarded: boolean,
  fold: (x: string) => string,
): void {
  inner.forEach(({ taps }, d) => {
    body.line('#pragma unroll');
    body.open(`for (int t_${d + 1} = 0; t_${d + 1} < ${taps}; ++t_${d + 1}) {`);
  });
  const offset = inner.map(
    ({ dilation, pitch }, d) => ` + t_${d + 1}${dilation * pitch === 1 ? '' : ` * ${dilation * pitch}`}`,
  );
  const tests = guarded
    ? inner.flatMap((own, d) => {
        if (edgeTests(own, '').length === 0) return [];
        const place = `${at(d)} + t_${d + 1}${own.dilation === 1 ? '' : ` * ${own.dilation}`}`;
        return [`${place} >= 0 && ${place} < ${own.size}`];
      })
    : [];
  const text = fold(context.read(input, `first${offset.join('')}`));
  body.line(tests.length > 0 ? `if (${tests.join(' && ')}) ${text}` : text);
  for (const _ of inner) body.close();
}

/** The loop along a strip, with the folds of slices in a ring of registers where windows share them. */
function writeStrip(
  body: CodeWriter,
  walked: Along,
  coordinate: string,
  { strip }: WindowKnobs,
  { state, type, merge }: { state: string; type: string; merge: string },
  finish: () => void,
): void {
  const { outputs, taps, stride, padding, dilation } = walked;
  const { slices, step, apart, unit } = ringOf(walked);
  const shares = slices > step && strip > 1;
  const sliceOf = (output: string, k: string, scale: number) =>
    `fold_slice(${moved(scaled(output, stride), padding)} + ${scaled(k, scale)})`;
  const last = outputs % strip === 0 ? `from + ${strip}` : `min(from + ${strip}, ${outputs})`;
  body.line(`const int from = blockIdx.y * ${strip};`);
  if (shares) {
    body.line(
      `// ring[k]: the fold of the window's slice k${unit === 1 ? '' : `, of those ${unit} apart that windows use`}.`,
    );
    body.line(`${type} ring[${slices}];`);
    body.line('#pragma unroll');
    body.line(`for (int k = ${step}; k < ${slices}; ++k) ring[k] = ${sliceOf('from', `(k - ${step})`, unit)};`);
  }
  body.open(`for (int ${coordinate} = from; ${coordinate} < ${last}; ++${coordinate}) {`);
  if (shares) {
    body.line('#pragma unroll');
    body.line(`for (int k = 0; k < ${slices - step}; ++k) ring[k] = ring[k + ${step}];`);
    body.line('#pragma unroll');
    body.line(`for (int k = ${slices - step}; k < ${slices}; ++k) ring[k] = ${sliceOf(coordinate, 'k', unit)};`);
    body.line(`${type} ${state} = ring[0];`);
    body.line('#pragma unroll');
    body.line(`for (int t = 1; t < ${taps}; ++t) ${state} = ${merge}(${state}, ring[t * ${apart}]);`);
  } else {
    body.line(`${type} ${state} = ${sliceOf(coordinate, '0', dilation)};`);
    body.line('#pragma unroll');
    body.line(
      `for (int t = 1; t < ${taps}; ++t) ${state} = ${merge}(${state}, ${sliceOf(coordinate, 't', dilation)});`,
    );
  }
  finish();
  body.close();
}
