/** The PTX door: a description becomes a plan, PTX of clang and of nvcc runs on the virtual GPU, and what is wrong is said with its place. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { VirtualGpu } from '../../vgpu/index.ts';
import { buildDeviceCode, findToolchain } from '../build/index.ts';
import { CandidateError } from '../error.ts';
import { signatureOf } from '../interpret/try-host.fixture.ts';
import { candidateLanguage } from '../language.ts';
import { prepareCandidate } from '../prepare.ts';

const nvcc = (await findToolchain()) ? false : 'nvcc is not installed';
const cacheDir = mkdtempSync(join(tmpdir(), 'assay-ptx-door-'));
after(() => rmSync(cacheDir, { recursive: true, force: true }));

const clang = readFileSync(new URL('./row-sum.fixture.ptx', import.meta.url), 'utf8');
const [rows, columns] = [70, 33];
const signature = signatureOf(`x[${rows},${columns}]`);
const description = (more: object = {}) => ({
  format: 'assay.ptx-candidate/1',
  ptx: clang,
  shapes: { x: [rows, columns] },
  workspaces: [{ name: 'out', dtype: 'float32', shape: [rows] }],
  steps: [
    { fill: 'out', value: 0 },
    { launch: 'row_sum', grid: [2], block: [64], arguments: ['x', 'out', rows, columns] },
  ],
  outputs: ['out'],
  ...more,
});
const prepare = (candidate: object) =>
  prepareCandidate(JSON.stringify(candidate), signature, { arch: 'sm_90', cacheDir });

/** Runs the launch of a prepared row sum on the virtual GPU. */
async function rowSums(candidate: object): Promise<number[]> {
  const { plan, build } = await prepare(candidate);
  const gpu = new VirtualGpu();
  const module = gpu.load(build.ptx, { name: 'door' });
  const pointers = plan.buffers.map(({ bytes, name }) => gpu.allocate(bytes, { name }));
  const x = Float32Array.from({ length: rows * columns }, (_, i) => i % 7);
  gpu.write(pointers[0]!, new Uint8Array(x.buffer));
  const launch = plan.steps.find((step) => step.kind === 'launch')!;
  const report = gpu.launch(module, launch.entry, {
    grid: launch.grid,
    block: launch.block,
    dynamicSharedBytes: launch.dynamicSharedBytes,
    arguments: launch.arguments.map((a) =>
      a.kind === 'pointer'
        ? new Uint8Array(BigUint64Array.of(pointers[a.buffer]! + BigInt(a.byteOffset)).buffer)
        : Uint8Array.from(Buffer.from(a.hex, 'hex')),
    ),
    allocations: pointers,
  });
  assert.deepEqual([report.completed, report.findings], [true, []]);
  return [...new Float32Array(gpu.read(pointers[1]!, rows * 4).slice().buffer)];
}

const expected = Array.from({ length: rows }, (_, r) =>
  Array.from({ length: columns }, (_, c) => (r * columns + c) % 7).reduce((a, b) => a + b),
);

describe('the PTX door', () => {
  test('PTX of clang becomes a plan and runs', async () => {
    assert.equal(candidateLanguage(JSON.stringify(description())), 'ptx');
    const { plan } = await prepare(description());
    assert.deepEqual(
      plan.buffers.map(({ name, kind, bytes }) => [name, kind, bytes]),
      [
        ['x', 'argument', rows * columns * 4],
        ['out', 'workspace', rows * 4],
      ],
    );
    assert.deepEqual(plan.steps[1], {
      kind: 'launch',
      entry: 'row_sum',
      kernel: 'row_sum',
      grid: [2, 1, 1],
      block: [64, 1, 1],
      dynamicSharedBytes: 0,
      arguments: [
        { kind: 'pointer', buffer: 0, byteOffset: 0 },
        { kind: 'pointer', buffer: 1, byteOffset: 0 },
        { kind: 'bytes', hex: '46000000' },
        { kind: 'bytes', hex: '21000000' },
      ],
      line: clang.split('\n').findIndex((line) => line.includes('.entry row_sum')) + 1,
    });
    assert.deepEqual(await rowSums(description()), expected);
  });

  test('PTX of nvcc does too, and its resources are known', { skip: nvcc }, async () => {
    const source =
      'extern "C" __global__ void row_sum(const float* x, float* out, unsigned rows, unsigned columns) {\n' +
      '  unsigned row = blockIdx.x * blockDim.x + threadIdx.x; float sum = 0; if (row >= rows) return;\n' +
      '  for (unsigned c = 0; c < columns; c++) sum += x[row * columns + c]; out[row] = sum; }\n';
    const { ptx } = await buildDeviceCode({ source, arch: 'sm_80', cacheDir });
    assert.deepEqual(await rowSums(description({ ptx })), expected);
    const { build } = await prepare(description({ ptx }));
    assert(build.resources[0]!.registers > 4);
  });

  const launch = (more: object) => ({
    steps: [{ launch: 'row_sum', grid: [2], block: [64], arguments: ['x', 'out', rows, columns], ...more }],
  });
  const wrong: [string, object, RegExp][] = [
    ['a stray key', { stream: 1 }, /wrong at `its top`.*stream/],
    ['another format', { format: 'assay.ptx-candidate/2' }, /wrong at `format`/],
    ['other shapes', { shapes: { x: [4, 4] } }, /written for x \[4, 4\], and the task has \[70, 33\]/],
    ['an unknown output', { outputs: ['y'] }, /outputs: there is no tensor y; there are x, out/],
    ['an unknown entry', launch({ launch: 'sum' }), /steps\[0\]: the PTX has no entry sum; it has row_sum/],
    ['too few arguments', launch({ arguments: ['x', 'out'] }), /takes 4 arguments, 2 given/],
    [
      'a pointer for a number',
      launch({ arguments: ['x', 'out', 'x', 1] }),
      /arguments\[2\]: a pointer for a parameter of 4 bytes/,
    ],
    [
      'a number for a pointer',
      launch({ arguments: ['x', 'out', 70.5, 1] }),
      /arguments\[2\]: 70\.5 for a parameter \.u32/,
    ],
    [
      'bytes that do not fit',
      launch({ arguments: ['x', 'out', { hex: '00' }, 1] }),
      /1 bytes, and the parameter takes 4/,
    ],
    [
      'an integer that does not fit',
      launch({ arguments: ['x', 'out', { int: '99999999999' }, 1] }),
      /does not fit 4 bytes/,
    ],
    [
      'a pointer behind the end',
      launch({ arguments: [{ tensor: 'x', byteOffset: 1e6 }, 'out', 1, 1] }),
      /behind the end of x/,
    ],
    ['a block that no GPU has', launch({ block: [2048] }), /block's x is at most 1024/],
    ['too much shared memory', launch({ dynamicSharedBytes: 1e6 }), /of shared memory/],
    [
      'a workspace with the name of an argument',
      { workspaces: [{ name: 'x', dtype: 'float32', shape: [1] }] },
      /two tensors x/,
    ],
  ];
  for (const [name, more, message] of wrong) {
    test(`refused: ${name}`, async () => {
      await assert.rejects(prepare(description(more)), (error: unknown) => {
        assert(error instanceof CandidateError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test('PTX that ptxas does not take is an error of compilation', { skip: nvcc }, async () => {
    const broken = clang.replace('st.global.f32', 'st.global.f33').replace('st.global.b32', 'st.global.b33');
    await assert.rejects(prepare(description({ ptx: broken })), (error: unknown) => {
      assert(error instanceof CandidateError);
      assert.equal(error.kind, 'compile');
      return true;
    });
  });
});
