/**
 * A kernel that sorts lines: a block holds a line in shared memory with the places its elements came from, and orders it by a
 * bitonic network. Places break ties, so the order is the stable one.
 */
import type { Group } from '../groups.ts';
import type { Program, SortStep } from '../program.ts';
import { isFloating, storage } from '../scalar.ts';
import { product } from '../strides.ts';
import { Accesses } from './elements.ts';
import { type Kernel, KernelContext, type Preamble } from './kernel-context.ts';
import { Walk } from './walk.ts';
import { CodeWriter } from './writer.ts';

export interface SortKnobs {
  /** Threads a block. */
  block: number;
}

/** Shared memory that a line of this length takes, bytes: a power of two of elements and places. */
export function sortSharedBytes(length: number, double: boolean): number {
  return 2 ** Math.ceil(Math.log2(length)) * (double ? 12 : 8);
}

export function sortStep(group: Group): SortStep {
  const [step] = group.steps;
  if (step?.kind !== 'sort') throw new Error('the group is not a sort');
  return step;
}

export function sortKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: SortKnobs,
  preamble: Preamble,
): Kernel {
  const step = sortStep(group);
  const context = new KernelContext(program, group, preamble);
  const accesses = new Accesses(context, stored);
  const { indexType } = context;
  const walk = new Walk(group.structure.dimensions, accesses.all(), { row: 'row', column: 'j', indexType });
  const length = step.domain[step.axis]!;
  const rows = product(step.domain) / length;
  const padded = 2 ** Math.ceil(Math.log2(length));
  const type = context.computeType(step.input.value);
  const { block } = knobs;
  requireBefore(preamble, type);

  const body = new CodeWriter();
  body.line(`const ${indexType} row = blockIdx.x;`);
  for (const line of walk.rowDeclarations(accesses.all())) body.line(line);
  body.line(`__shared__ ${type} line_value[${padded}];`);
  body.line(`__shared__ int place_of[${padded}];`);
  body.open(`for (int j = threadIdx.x; j < ${padded}; j += ${block}) {`);
  const read = context.read(step.input.value, walk.index(accesses.operand(step, 0)));
  body.line(`line_value[j] = ${padded === length ? read : `j < ${length} ? ${read} : static_cast<${type}>(0)`};`);
  body.line('place_of[j] = j;');
  body.close();
  body.line(
    `// A bitonic network: runs of \`size\` alternate in direction until one run is left.${padded === length ? '' : ` Places from ${length} on are padding and stay behind.`}`,
  );
  body.open(`for (int size = 2; size <= ${padded}; size *= 2) {`);
  body.open('for (int stride = size / 2; stride > 0; stride /= 2) {');
  body.line('__syncthreads();');
  body.open(`for (int pair = threadIdx.x; pair < ${padded / 2}; pair += ${block}) {`);
  body.line('const int a = 2 * pair - pair % stride;');
  body.line('const int b = a + stride;');
  body.line('const bool forward = (a & size) == 0;');
  const call = (p: string, q: string) =>
    `before_${type.replace(/ /g, '_')}<${length}, ${step.descending}>(line_value[${p}], place_of[${p}], line_value[${q}], place_of[${q}])`;
  body.line(`if (${call('b', 'a')} == forward) {`);
  body.line(`  const ${type} value = line_value[a];`);
  body.line('  line_value[a] = line_value[b];');
  body.line('  line_value[b] = value;');
  body.line('  const int place = place_of[a];');
  body.line('  place_of[a] = place_of[b];');
  body.line('  place_of[b] = place;');
  body.line('}');
  body.close();
  body.close();
  body.close();
  body.line('__syncthreads();');
  body.open(`for (int j = threadIdx.x; j < ${length}; j += ${block}) {`);
  step.outs.forEach((id, k) => {
    if (!stored.includes(id)) return;
    const { name: target, dtype } = context.value(id);
    body.line(
      `${target}[${walk.index(accesses.store(id))}] = ${k === 0 ? storage[dtype].store('line_value[j]') : 'place_of[j]'};`,
    );
  });
  body.close();

  const { text: parameters, pointers } = context.parameters(stored);
  const writer = new CodeWriter();
  writer.line(
    `// ${program.nodes[step.node]!.op}: ${rows} line${rows === 1 ? '' : 's'} of ${length}, one block a line.`,
  );
  writer.open(`__global__ void __launch_bounds__(${block}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  return { name, text: writer.toString(), pointers, writes: stored, grid: [rows, 1, 1], block };
}

/** `before<LENGTH, DESCENDING>(x, i, y, j)`: whether x, from place i, comes before y. */
function requireBefore(preamble: Preamble, type: string): void {
  const nan = isFloating(type as 'float')
    ? '  if (x != x || y != y) return x == x ? !DESCENDING : (y == y ? DESCENDING : i < j);\n'
    : '';
  preamble.require(
    `before_${type}`,
    `// Whether x comes before y in sorted order: NaN is greatest, equals keep their order, padding is last.
template <int LENGTH, bool DESCENDING>
__device__ __forceinline__ bool before_${type.replace(/ /g, '_')}(${type} x, int i, ${type} y, int j) {
  if (i >= LENGTH || j >= LENGTH) return i < j;
${nan}  if (x == y) return i < j;
  return DESCENDING ? x > y : x < y;
}`,
  );
}
