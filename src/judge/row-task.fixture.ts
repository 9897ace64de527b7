/**
 * A task, an oracle and a device in plain JavaScript, for tests of the judge's logic alone: softmax over rows of 96, and "kernels" that are
 * functions from inputs to outputs. The device is a test double: it keeps memory, globals and poison as a real one does.
 */
import type { Call, CallResult, Device, RunRequest, RunResult } from '../device/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import { decode, encode, type Graph, type HostTensor, type Task } from '../task/index.ts';
import type { Finding } from '../vgpu/index.ts';
import {
  byRow,
  exactSoftmaxRow,
  f,
  inexact,
  normals,
  pairwise,
  reversed,
  sequential,
  softmaxRow,
  strided,
} from './honest-kernels.fixture.ts';
import type { Oracle } from './oracle.ts';
import { sourceHash } from './seeds.ts';
import { deriveTolerance } from './tolerance.ts';

export const ROWS = 16;
export const COLUMNS = 96;
const spec = { shape: [ROWS, COLUMNS], dtype: 'float32' } as const;
const exp = (x: number) => f(Math.exp(x));

const softmaxGraph: Graph = {
  inputs: [{ id: 0, spec, name: 'x', draw: { kind: 'normal', mean: 0, std: 1 } }],
  parameters: [],
  constants: [],
  nodes: [{ op: 'softmax', inputs: [0], attributes: { dim: 1 }, outputs: [{ id: 1, spec }], line: 3 }],
  outputs: [1],
};

export const task: Task = {
  name: 'softmax',
  source: 'class Model(nn.Module): ...',
  hash: '0'.repeat(64),
  graph: softmaxGraph,
  signature: { tensors: [{ name: 'x', role: 'input', spec }], scalars: [], outputs: [spec] },
  precision: 'fp32',
  scaled: [],
};

const identityGraph: Graph = { ...softmaxGraph, nodes: [], outputs: [0] };

const FAMILIES: Readonly<Record<string, (seed: number) => Float64Array>> = {
  own: (seed) => normals(seed, ROWS * COLUMNS),
  shifted: (seed) => normals(seed, ROWS * COLUMNS, 50, 3),
  large: (seed) => normals(seed, ROWS * COLUMNS, 0, 40),
  small: (seed) => normals(seed, ROWS * COLUMNS, 0, 1e-3),
};

/** The oracle of the task, with an optional mutant that nothing can tell from the task. */
export function rowOracle(options: { undetectable?: boolean } = {}): Oracle {
  const drawn = new Map<string, readonly HostTensor[]>();
  const unchanged: Graph = { ...softmaxGraph };
  return {
    families: Object.keys(FAMILIES),
    effort: 'full',
    revealing: [],
    reveal: () => undefined,
    arithmetics: ['four orders of summation'],
    mutants: [
      {
        id: 'dropped-0',
        kind: 'dropped',
        operator: 'softmax',
        description: '`softmax` on line 3 left out',
        graph: identityGraph,
      },
      ...(options.undetectable
        ? [
            {
              id: 'none',
              kind: 'dropped' as const,
              operator: 'add',
              description: '`add` on line 2 left out',
              graph: unchanged,
            },
          ]
        : []),
    ],
    draw(family, seed) {
      const key = `${family} ${seed}`;
      const tensors = drawn.get(key) ?? [{ spec, values: FAMILIES[family]!(Number.parseInt(seed.slice(0, 8), 16)) }];
      drawn.set(key, tensors);
      return tensors;
    },
    answer({ graph }, inputs) {
      return this.evaluate(graph, inputs);
    },
    evaluate: (graph, inputs) => [
      graph === identityGraph ? inputs[0]! : { spec, values: byRow(inputs[0]!.values, COLUMNS, exactSoftmaxRow) },
    ],
    expect(inputs) {
      const x = inputs[0]!.values;
      const runs = [sequential, reversed, pairwise, strided(32)].flatMap((sum) =>
        [exp, inexact(Math.exp, 4), inexact(Math.exp, 12)].map((e, i) => ({
          name: `run ${i}`,
          values: byRow(x, COLUMNS, (row) => softmaxRow(row, sum, e)),
        })),
      );
      return { outputs: [deriveTolerance({ spec, values: byRow(x, COLUMNS, exactSoftmaxRow) }, runs)] };
    },
  };
}

/** What a kernel of the test double sees: device memory, as numbers. */
export interface KernelMemory {
  x: Float64Array;
  /** Holds what was there before until written. */
  out: Float64Array;
  /** Set to 1 for every element written. */
  written: Uint8Array;
  /** `__device__` variables: kept between calls unless they are reset. */
  globals: Map<string, Float64Array>;
}

export type FakeKernel = (memory: KernelMemory) => Finding[] | undefined;

/** Writes all of the output. */
export function write(memory: KernelMemory, values: Float64Array): void {
  memory.out.set(values);
  memory.written.fill(1);
}

export const honest: FakeKernel = (memory) => {
  write(
    memory,
    byRow(memory.x, COLUMNS, (row) => softmaxRow(row, strided(64), exp)),
  );
  return undefined;
};

/** The test double. `end` replaces the result of a run, for the ways a run can end. */
export class FakeDevice implements Device {
  readonly kind = 'virtual';
  readonly name = 'a device in plain JavaScript';
  readonly requests: RunRequest[] = [];
  readonly #kernel: FakeKernel;
  readonly #end: RunResult | undefined;
  readonly #globals = new Map<string, Float64Array>();
  readonly #poisons = new Map<number, number>();

  constructor(kernel: FakeKernel, end?: RunResult) {
    this.#kernel = kernel;
    this.#end = end;
  }

  async run(request: RunRequest): Promise<RunResult> {
    this.requests.push(request);
    if (this.#end) return this.#end;
    const calls: CallResult[] = [];
    for (const call of request.calls) {
      const found = this.#call(call, calls);
      if (found.length > 0) {
        return {
          status: 'faulted',
          findings: found,
          message: found[0]!.message,
          printed: '',
          callsCompleted: calls.length,
        };
      }
    }
    return { status: 'completed', calls, findings: [], printed: '' };
  }

  #call(call: Call, calls: CallResult[]): Finding[] {
    if (call.resetGlobals) this.#globals.clear();
    const given = decode(call.inputs[0]!, spec);
    // Seeds are drawn; their order is not, and calls that follow each other must differ enough for a test to see it.
    const order = this.#poisons.get(call.poisonSeed) ?? this.#poisons.size;
    this.#poisons.set(call.poisonSeed, order);
    const poison = f(1e30 * (1 + (order % 2)));
    const memory: KernelMemory = {
      x: given.values.slice(),
      out: new Float64Array(ROWS * COLUMNS).fill(poison),
      written: new Uint8Array(ROWS * COLUMNS),
      globals: this.#globals,
    };
    const findings = this.#kernel(memory) ?? [];
    const after = encode({ spec, values: memory.x });
    const firstByte = after.findIndex((byte, i) => byte !== call.inputs[0]![i]);
    calls.push({
      outputs: [{ bytes: encode({ spec, values: memory.out.map(f) }), written: memory.written }],
      changedInputs: firstByte < 0 ? [] : [{ argument: 0, firstByte }],
      threadInstructions: 1,
      milliseconds: 0,
    });
    return findings;
  }

  async close(): Promise<void> {}
}

const source = '__global__ void softmax_kernel(const float* x, float* out) {\n  out[blockIdx.y] = x[threadIdx.x];\n}\n';

/** A prepared candidate whose plan launches once, over a grid that is one-dimensional. */
export const candidate: PreparedCandidate = {
  source,
  sourceHash: sourceHash(source),
  plan: {
    buffers: [
      { id: 0, bytes: ROWS * COLUMNS * 4, kind: 'argument', argument: 0, name: 'x' },
      { id: 1, bytes: ROWS * COLUMNS * 4, kind: 'workspace', name: 'out' },
    ],
    steps: [
      {
        kind: 'launch',
        entry: 'softmax_kernel',
        kernel: 'softmax_kernel',
        grid: [ROWS, 1, 1],
        block: [COLUMNS, 1, 1],
        dynamicSharedBytes: 0,
        arguments: [],
        line: 9,
      },
    ],
    outputs: [{ buffer: 1, dtype: 'float32', shape: [ROWS, COLUMNS], strides: [COLUMNS, 1], offset: 0 }],
  },
  build: {
    hash: '1'.repeat(64),
    ptx: '.visible .entry softmax_kernel(\n)\n{\n mov.u32 %r1, %ctaid.y;\n ret;\n}\n',
    cubin: '',
    arch: 'sm_90',
    resources: [],
    compiler: 'nvcc',
    milliseconds: 1,
    cached: false,
  },
};
