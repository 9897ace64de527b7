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
import { foldText } from './fold-text.ts';
import { type Kernel, KernelContext, type Preamble } from './kernel-context.ts';
import { writeRowMaps } from './product-epilogue.ts';
import { Walk } from './walk.ts';
import { CodeWriter } from './writer.ts';

export interface WindowKnobs {
  /** Threads a block. */
  block: number;
  /** Outputs of a thread along the first windowed dimension. */
  strip: number;
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

/** Outputs along the first windowed dimension, for which a strip may be cut. */
export function windowFacts(group: Group): { length: number; columns: number; overlap: number } {
  const { domain, window } = windowStep(group)!;
  const [first] = window;
  const rows = product(domain.slice(0, 2 + window.length));
  if (window.length === 1) return { length: 1, columns: rows, overlap: 0 };
  const { slices, step } = ringOf({
    taps: domain[2 + window.length]!,
    stride: first!.stride,
    dilation: first!.dilation,
  });
  return { length: domain[2]!, columns: rows / domain[2]!, overlap: Math.max(0, slices - step) };
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
  const { indexType } = context;
  const { block, strip } = knobs;
  // A window over a line has nothing to keep along it: its neighbours are other threads'.
  const walked = along.length > 1 ? along[0]! : undefined;
  const inner = walked ? along.slice(1) : along;
  const rows = product(walk.outerSizes);
  const columns = walked ? rows / walked.outputs : rows;
  const strips = walked ? Math.ceil(walked.outputs / strip) : 1;
  const text = foldText(step.fold, context.computeType(step.input.value), preamble, false);
  const result = step.outs[0]!;

  const body = new CodeWriter();
  const linear = columns + block < 2 ** 31 ? 'int' : indexType;
  body.line(`const ${linear} column = static_cast<${linear}>(blockIdx.x) * ${block} + threadIdx.x;`);
  if (columns % block !== 0) body.line(`if (column >= ${columns}) return;  // the last block is not full`);
  for (const line of walk.coordinatesWithout(walked?.coordinate, 'column')) body.line(line);
  const at = (d: number) => `at_${d + 1}`;
  inner.forEach(({ coordinate, stride, padding }, d) => {
    const origin = `${walk.index(coordinate)}${stride === 1 ? '' : ` * ${stride}`}${padding === 0 ? '' : ` - ${padding}`}`;
    body.line(`const int ${at(d)} = ${origin};  // where the window begins`);
  });
  const tests = inner.flatMap((own, d) => edgeTests(own, at(d)));
  if (tests.length > 0) body.line(`const bool inside = ${tests.join(' && ')};`);
  const places = inner.map(({ pitch }, d) => `${at(d)}${pitch === 1 ? '' : ` * ${pitch}`}`);
  const start = [walk.index(plan.base), ...places].filter((term) => term !== '0').join(' + ');
  body.line(`const ${indexType} corner = ${start};`);

  body.line(`// Folds what the window covers of ${walked ? 'one slice of the input' : 'the line'}.`);
  body.open(`const auto fold_slice = [&](${walked ? 'int slice' : ''}) {`);
  body.line(`${text.state} folded = ${text.neutral};`);
  if (walked && edgeTests(walked, '').length > 0)
    body.line(`if (slice < 0 || slice >= ${walked.size}) return folded;  // padding`);
  const from = walked ? `corner + slice * ${walked.pitch}` : 'corner';
  body.line(`const ${indexType} first = ${from};`);
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
  body.line('return folded;');
  body.close('};');

  const state = `${context.value(result).name}_state`;
  const finish = () => {
    body.line(`const ${context.computeType(result)} ${context.variable(result)} = ${text.fields(state)[0]};`);
    writeRowMaps(body, plan);
    for (const id of stored) {
      const { name: target, dtype } = context.value(id);
      body.line(`${target}[${walk.index(accesses.store(id))}] = ${storage[dtype].store(context.variable(id))};`);
    }
  };
  if (!walked) {
    body.line(`const ${text.state} ${state} = fold_slice();`);
    finish();
  } else
    writeStrip(
      body,
      walked,
      walk.index(walked.coordinate),
      knobs,
      { state, type: text.state, merge: text.merge },
      finish,
    );

  const { text: parameters, pointers } = context.parameters(stored);
  const size = along.map((own) => own.taps).join(' x ');
  const share = walked && strip > 1 ? `${strip} outputs one below another` : 'an output';
  const operators = [...new Set(group.steps.map((own) => program.nodes[own.node]?.op ?? 'copy'))].join(', ');
  const writer = new CodeWriter();
  writer.line(`// ${operators}: windows of ${size}, ${share} a thread.`);
  writer.open(`__global__ void __launch_bounds__(${block}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  return {
    name,
    text: writer.toString(),
    pointers,
    writes: stored,
    grid: [Math.ceil(columns / block), strips, 1],
    block,
  };
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
    `fold_slice(${output}${stride === 1 ? '' : ` * ${stride}`}${padding === 0 ? '' : ` - ${padding}`} + ${k}${scale === 1 ? '' : ` * ${scale}`})`;
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
