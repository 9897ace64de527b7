/**
 * A kernel for one direction of a recurrent layer. A block takes one sequence from its first step to its last: h (and c) stay
 * in shared memory, the weights come from the L2 cache, and no step waits for another block.
 */
import type { Group } from '../groups.ts';
import type { Program, RecurrentStep } from '../program.ts';
import { type ComputeType, literal, mathFunction, storage } from '../scalar.ts';
import type { Affine } from '../strides.ts';
import { type Kernel, KernelContext, type Preamble } from './kernel-context.ts';
import { CodeWriter } from './writer.ts';

export interface RecurrentKnobs {
  /** Threads a block. */
  block: number;
  /** Threads that share the products of one hidden unit. */
  lanes: number;
}

const gateNames: Readonly<Record<RecurrentStep['cell'], readonly string[]>> = {
  lstm: ['input', 'forget', 'cell', 'output'],
  gru: ['reset', 'update', 'fresh'],
  tanh: ['next'],
  relu: ['next'],
};

export function recurrentStep(group: Group): RecurrentStep {
  const [step] = group.steps;
  if (step?.kind !== 'recurrent') throw new Error('the group is not a recurrent layer');
  return step;
}

/** Shared memory of h twice, and of an LSTM's c, bytes. */
export function recurrentSharedBytes(cell: RecurrentStep['cell'], hidden: number, type: ComputeType): number {
  return (cell === 'lstm' ? 3 : 2) * hidden * (type === 'double' ? 8 : 4);
}

export function recurrentKernel(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  knobs: RecurrentKnobs,
  preamble: Preamble,
): Kernel {
  const step = recurrentStep(group);
  const context = new KernelContext(program, group, preamble);
  const { hidden, steps, batch, cell } = step;
  const { block, lanes } = knobs;
  const type = context.computeType(step.weight.value);
  const gates = gateNames[cell];
  const int = context.indexType;
  const read = (access: Affine & { value: number }, ...at: string[]) =>
    context.read(access.value, indexText(access, at));
  const store = (id: number, index: string, value: string) =>
    `${context.value(id).name}[${index}] = ${storage[context.value(id).dtype].store(value)};`;

  const body = new CodeWriter();
  body.line(`const ${int} n = blockIdx.x;  // the sequence`);
  if (lanes > 1) body.line(`const int lane = threadIdx.x % ${lanes};`);
  const first = lanes === 1 ? 'threadIdx.x' : `threadIdx.x / ${lanes}`;
  body.line(`__shared__ ${type} h[2][${hidden}];  // before the step, and after it`);
  if (cell === 'lstm') body.line(`__shared__ ${type} c[${hidden}];`);
  body.open(`for (int u = threadIdx.x; u < ${hidden}; u += ${block}) {`);
  body.line(`h[0][u] = ${read(step.initial[0]!, 'n', 'u')};`);
  if (cell === 'lstm') body.line(`c[u] = ${read(step.initial[1]!, 'n', 'u')};`);
  body.close();
  body.line('__syncthreads();');
  body.open(`for (int i = 0; i < ${steps}; ++i) {`);
  body.line(`const ${int} t = ${step.reverse ? `${steps - 1} - i` : 'i'};`);
  body.line('const int now = i % 2;');
  // Shuffles need every lane of a warp: units are counted to a whole round, and spare lanes repeat the last one.
  const groups = block / lanes;
  const spare = lanes > 1 && hidden % groups !== 0;
  body.open(
    `for (int ${spare ? 'own' : 'u'} = ${first}; ${spare ? 'own' : 'u'} < ${spare ? Math.ceil(hidden / groups) * groups : hidden}; ${spare ? 'own' : 'u'} += ${groups}) {`,
  );
  if (spare) body.line(`const int u = own < ${hidden} ? own : ${hidden - 1};`);
  body.line("// What the hidden state adds to the unit's gates.");
  body.line(`${type} sums[${gates.length}] = {};`);
  body.open(`for (int k = ${lanes === 1 ? '0' : 'lane'}; k < ${hidden}; k += ${lanes}) {`);
  body.line(`const ${type} h_k = h[now][k];`);
  gates.forEach((_, g) => {
    body.line(`sums[${g}] += ${read(step.weight, g === 0 ? 'u' : `(u + ${g * hidden})`, 'k')} * h_k;`);
  });
  body.close();
  if (lanes > 1) {
    body.line('#pragma unroll');
    body.open(`for (int distance = ${lanes / 2}; distance > 0; distance /= 2) {`);
    gates.forEach((_, g) => {
      body.line(`sums[${g}] += __shfl_xor_sync(0xffffffffu, sums[${g}], distance);`);
    });
    body.close();
    body.open(`if (lane == 0${spare ? ` && own < ${hidden}` : ''}) {`);
  }
  gates.forEach((_, g) => {
    if (step.bias) body.line(`sums[${g}] += ${read(step.bias, g === 0 ? 'u' : `(u + ${g * hidden})`)};`);
  });
  gates.forEach((gate, g) => {
    body.line(`const ${type} ${gate}_x = ${read(step.fromInput, 't', 'n', g === 0 ? 'u' : `(u + ${g * hidden})`)};`);
  });
  for (const line of cellText(cell, type)) body.line(line);
  body.line('h[1 - now][u] = h_next;');
  const [all, last] = step.outs;
  if (stored.includes(all!)) body.line(store(all!, `(t * ${batch} + n) * ${hidden} + u`, 'h_next'));
  if (lanes > 1) body.close();
  body.close();
  body.line('__syncthreads();');
  body.close();
  if (last !== undefined && stored.includes(last)) {
    body.line(`for (int u = threadIdx.x; u < ${hidden}; u += ${block}) ${store(last, `n * ${hidden} + u`, 'c[u]')}`);
  }

  const { text: parameters, pointers } = context.parameters(stored);
  const writer = new CodeWriter();
  writer.line(
    `// ${program.nodes[step.node]!.op}: ${batch} sequences of ${steps} steps, one block each; ${hidden} hidden units, ${lanes === 1 ? 'one thread' : `${lanes} threads`} a unit${step.reverse ? '; from the last step to the first' : ''}.`,
  );
  writer.open(`__global__ void __launch_bounds__(${block}) ${name}(${parameters}) {`);
  writer.line(body.toString().trimEnd());
  writer.close();
  return { name, text: writer.toString(), pointers, writes: stored, grid: [batch, 1, 1], block };
}

/** `offset + a * sa + b * sb`, without what is nothing. */
function indexText(access: Affine, at: readonly string[]): string {
  const terms = at.flatMap((text, d) => {
    const stride = access.strides[d]!;
    return stride === 0 ? [] : [stride === 1 ? text : `${text} * ${stride}`];
  });
  if (access.offset !== 0 || terms.length === 0) terms.push(`${access.offset}`);
  return terms.join(' + ');
}

/** `h_next` (and an LSTM's c) from the gates' two parts, by PyTorch's equations. */
function cellText(cell: RecurrentStep['cell'], type: ComputeType): string[] {
  const one = literal(1, type);
  const sigmoid = (text: string) => `${one} / (${one} + ${mathFunction('exp', type)}(-(${text})))`;
  const tanh = (text: string) => `${mathFunction('tanh', type)}(${text})`;
  switch (cell) {
    case 'lstm':
      return [
        `const ${type} input_gate = ${sigmoid('input_x + sums[0]')};`,
        `const ${type} forget_gate = ${sigmoid('forget_x + sums[1]')};`,
        `const ${type} fresh = ${tanh('cell_x + sums[2]')};`,
        `const ${type} output_gate = ${sigmoid('output_x + sums[3]')};`,
        'c[u] = forget_gate * c[u] + input_gate * fresh;',
        `const ${type} h_next = output_gate * ${tanh('c[u]')};`,
      ];
    case 'gru':
      return [
        `const ${type} reset_gate = ${sigmoid('reset_x + sums[0]')};`,
        `const ${type} update_gate = ${sigmoid('update_x + sums[1]')};`,
        `const ${type} fresh = ${tanh('fresh_x + reset_gate * sums[2]')};  // the reset gate multiplies the product with its bias`,
        `const ${type} h_next = (${one} - update_gate) * fresh + update_gate * h[now][u];`,
      ];
    case 'tanh':
      return [`const ${type} h_next = ${tanh('next_x + sums[0]')};`];
    case 'relu':
      return [`const ${type} sum = next_x + sums[0];`, `const ${type} h_next = sum < 0 ? ${literal(0, type)} : sum;`];
  }
}
