/** cuBLAS as a baseline: which tasks are one call of it, and that the call is the right one, over the fake library, which multiplies plainly. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import {
  AS_WRITTEN,
  type DType,
  decode,
  drawArguments,
  encode,
  evaluateGraph,
  type GraphNode,
  type Task,
} from '../../../task/index.ts';
import { Driver } from '../driver/driver.ts';
import { NoDriver } from '../driver/errors.ts';
import { buildFakeDriver, cCompiler } from '../fake/build-fake.ts';
import { attachFakeGpu } from '../fake/fake-gpu.ts';
import { CudaGpu } from '../gpu.ts';
import { TimingSession } from '../timing/session.ts';
import { contractionOf } from './contraction.ts';

type Operand = readonly [shape: readonly number[], turned?: 'turned'];

/** A task as the tracer makes it: a product of two operands, each perhaps with its last two axes exchanged, perhaps with something after it. */
function taskOf(
  op: 'matmul' | 'linear',
  operands: readonly Operand[],
  more: { bias?: boolean; after?: string; dtype?: DType } = {},
): Task {
  const { bias = false, after: then, dtype = 'float32' } = more;
  let id = operands.length;
  const inputs = operands.map(([shape], i) => ({
    ...{ id: i, name: `x${i}`, spec: { shape, dtype } },
    draw: { kind: 'normal' as const, mean: 0, std: 1 },
  }));
  const nodes: GraphNode[] = [];
  const used = operands.map(([shape, turned], i) => {
    if (!turned) return { id: i, shape };
    const dims = shape.map((_, d) => d);
    dims.push(...dims.splice(-2).reverse());
    const out = dims.map((d) => shape[d]!);
    nodes.push({
      op: 'permute',
      inputs: [i],
      attributes: { dims },
      outputs: [{ id, spec: { shape: out, dtype } }],
      line: 1,
    });
    return { id: id++, shape: out };
  });
  const [a, b] = used as [(typeof used)[number], (typeof used)[number]];
  const shape = [...a.shape.slice(0, -1), op === 'linear' ? b.shape[0]! : b.shape.at(-1)!];
  const outputs = [{ id, spec: { shape, dtype } }];
  nodes.push({ op, inputs: used.map((one) => one.id), attributes: op === 'linear' ? { bias } : {}, outputs, line: 2 });
  if (then)
    nodes.push({ op: then, inputs: [id], attributes: {}, outputs: [{ id: ++id, spec: { shape, dtype } }], line: 3 });
  return {
    ...{ name: 'product', source: '', hash: '', scaled: [] },
    precision: dtype === 'float16' ? 'fp16' : dtype === 'bfloat16' ? 'bf16' : 'fp32',
    graph: { inputs, parameters: [], constants: [], nodes, outputs: [id] },
    signature: {
      tensors: inputs.map(({ name, spec }) => ({ name, role: 'input' as const, spec })),
      ...{ scalars: [], outputs: [{ shape, dtype }] },
    },
  };
}

const PRODUCTS: readonly (readonly [what: string, task: Task])[] = [
  ['a matrix by a matrix', taskOf('matmul', [[[5, 7]], [[7, 3]]])],
  ['the left one turned', taskOf('matmul', [[[7, 5], 'turned'], [[7, 3]]])],
  ['the right one turned', taskOf('matmul', [[[5, 7]], [[3, 7], 'turned']])],
  [
    'both turned',
    taskOf('matmul', [
      [[7, 5], 'turned'],
      [[3, 7], 'turned'],
    ]),
  ],
  ['a batch', taskOf('matmul', [[[4, 5, 7]], [[4, 7, 3]]])],
  ['a batch by one matrix', taskOf('matmul', [[[4, 5, 7]], [[7, 3]]])],
  ['a batch, turned', taskOf('matmul', [[[4, 7, 5], 'turned'], [[4, 7, 3]]])],
  ['a batch, turned, by one matrix', taskOf('matmul', [[[4, 7, 5], 'turned'], [[7, 3]]])],
  ['a linear layer', taskOf('linear', [[[2, 5, 7]], [[3, 7]]])],
  ['halves', taskOf('matmul', [[[5, 8]], [[8, 3]]], { dtype: 'float16' })],
  ['bfloat16', taskOf('matmul', [[[5, 8]], [[3, 8], 'turned']], { dtype: 'bfloat16' })],
];

describe('contractions that cuBLAS is timed on', () => {
  for (const [what, task] of [
    ['more than a product', taskOf('matmul', [[[5, 7]], [[7, 3]]], { after: 'relu' })],
    ['a bias', taskOf('linear', [[[5, 7]], [[3, 7]], [[3]]], { bias: true })],
    ['batches that are spread', taskOf('matmul', [[[1, 5, 7]], [[4, 7, 3]]])],
    ['double precision', taskOf('matmul', [[[5, 7]], [[7, 3]]], { dtype: 'float64' })],
  ] as const) {
    it(`are none with ${what}`, () => {
      assert.equal(typeof contractionOf(task, []), 'string');
    });
  }

  const compiler = cCompiler();
  const skip = compiler ? false : 'there is no C compiler for the fake CUDA driver';
  describe('over the fake library', { skip }, async () => {
    const fake = compiler ? await buildFakeDriver(compiler) : undefined;
    after(() => fake?.remove());
    const driver = fake && new Driver(fake.library);
    if (driver) attachFakeGpu(driver);
    const live = driver?.extra('assay_fake_live', 'int64_t', []) ?? (() => 0);
    const restart = driver?.extra('assay_fake_restart', 'void', []) ?? (() => undefined);
    process.env.ASSAY_FAKE_L2_KIB = '16';
    after(() => {
      delete process.env.ASSAY_FAKE_L2_KIB;
    });
    const window = (task: Task, libraries = [fake!.library]) => {
      const timed = contractionOf(task, libraries);
      assert.ok(typeof timed !== 'string', String(timed));
      const inputs = drawArguments(task, AS_WRITTEN, 'ab'.repeat(32));
      const gpu = new CudaGpu(driver!, 0);
      try {
        const session = new TimingSession(gpu, undefined);
        const secrets = { key: [1, 2] as const, poison: [3, 4] as const };
        const operands = { base: 0, renewals: [] };
        const probe = { operands, secrets };
        const prepared = session.prepare({ timed, bases: [inputs.map(encode)], mostCalls: 2, probe });
        assert.equal(prepared.status, 'ready', JSON.stringify(prepared));
        const request = { instance: 0 as const, work: 'calls' as const, operands: [operands], keep: [0] };
        const { kept, different } = session.window({ ...request, secrets, ownProcesses: 1 });
        assert.deepEqual(different, []);
        return { inputs, out: decode(kept[0]![0]!, task.signature.outputs[0]!).values, prepared };
      } finally {
        gpu.close();
      }
    };

    for (const [what, task] of PRODUCTS) {
      it(`give what the task says: ${what}`, () => {
        const { inputs, out } = window(task);
        const [expected] = evaluateGraph(task.graph, inputs);
        const worst = Math.max(...out.map((value, i) => Math.abs(value - expected!.values[i]!)));
        const size = Math.max(...expected!.values.map(Math.abs));
        assert.ok(worst <= size * (task.precision === 'fp32' ? 1e-6 : 0.01), `${worst} of ${size}`);
        assert.equal(live(), 0);
      });
    }

    it('say what to do where there is no cuBLAS, and leave nothing behind', () => {
      const task = taskOf('matmul', [[[5, 7]], [[7, 3]]]);
      assert.throws(
        () => window(task, ['/nonexistent/libcublas.so']),
        (error) => error instanceof NoDriver && /cuBLAS was not found.*LD_LIBRARY_PATH/.test(error.message),
      );
      assert.equal(live(), 0);
      for (const call of ['cublasCreate_v2', 'cublasSetStream_v2', 'cublasGemmStridedBatchedEx']) {
        process.env.ASSAY_FAKE_FAULTS = `${call}:1:13`;
        restart();
        assert.throws(() => window(task), /cuBLAS cannot do this contraction: its kernels failed/);
        delete process.env.ASSAY_FAKE_FAULTS;
        assert.equal(live(), 0, `left after ${call}`);
      }
    });
  });
});
