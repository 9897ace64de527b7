import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  type Build,
  buildDeviceCode,
  findToolchain,
  type LaunchArgument,
  type Plan,
  type PlanStep,
  type PlanTensor,
} from '../../kernel/index.ts';
import { type Call, createVirtualDevice, type RunLimits, type RunRequest, type RunResult } from '../index.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';
const limits: RunLimits = { milliseconds: 20_000, instructions: 1e9, memoryBytes: 1e8, printBytes: 2000 };
const count = 300;

const floats = (values: ArrayLike<number>) => new Uint8Array(Float32Array.from(values).buffer);
const toFloats = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)];
const ramp = (from: number) => floats(Array.from({ length: count }, (_, index) => from + index));
const call = (input: Uint8Array, rest: Partial<Call> = {}): Call => ({
  inputs: [input],
  poisonSeed: 1,
  resetGlobals: false,
  freshMemory: false,
  ...rest,
});

const vector = (buffer: number): PlanTensor => ({ buffer, dtype: 'float32', shape: [count], strides: [1], offset: 0 });
const pointer = (buffer: number): LaunchArgument => ({ kind: 'pointer', buffer, byteOffset: 0 });
const launch = (entry: string, buffers: number[], grid = 2): PlanStep => ({
  kind: 'launch',
  entry,
  kernel: entry,
  grid: [grid, 1, 1],
  block: [256, 1, 1],
  dynamicSharedBytes: 0,
  arguments: [...buffers.map(pointer), { kind: 'bytes', hex: '2c010000' }],
  line: 1,
});
/** One input `x`, one workspace `y` that is returned. */
const plan = (steps: PlanStep[], outputs = [vector(1)]): Plan => ({
  buffers: [
    { id: 0, bytes: count * 4, kind: 'argument', argument: 0, name: 'x' },
    { id: 1, bytes: count * 4, kind: 'workspace', name: 'y' },
  ],
  steps,
  outputs,
});

const source = `
__device__ int calls = 0;
__constant__ float weights[2] = {1.f, 10.f};
extern "C" __global__ void weighted(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = weights[0] * x[i] + weights[1];
}
extern "C" __global__ void twice(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.f * x[i];
}
extern "C" __global__ void half_of_them(const float* x, float* y, int n) {
  int i = 2 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) y[i] = x[i];
}
extern "C" __global__ void in_place(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i == 7) x[i] = -1.f;
}
extern "C" __global__ void past_the_end(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i < n ? i : 0];
}
// Block 250 leans on what block 249 left; the others are long enough that few blocks are profiled.
extern "C" __global__ void leans(const float* x, float* y, int n) {
  if (threadIdx.x >= 32) return;
  int i = blockIdx.x;
  float sum = 0.f;
  for (int k = 0; k < 200; k++) sum += x[(i + k * threadIdx.x) % n];
  if (threadIdx.x == 0) y[i] = i == 250 ? y[249] + 1.f : sum;
}
extern "C" __global__ void count_calls(float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = calls;
  if (i == 0) calls = calls + 1;
}
__device__ unsigned passed = 1;
extern "C" __global__ void shift_register(float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = passed >> 20;
  if (i == 0) passed = passed << 1 | passed >> 31;
}
extern "C" __global__ void forever(volatile float* y, int n) {
  y[0] = 1.f;
  for (unsigned i = 0; y[0] > 0.f; i++) y[1] = __uint_as_float(i);
}
extern "C" __global__ void chatter(float* y, int n) {
  for (int i = 0; i < 100; i++) printf("thread %d says a lot of things %d\\n", threadIdx.x, i);
}`;

describe('the virtual device', { skip }, () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-device-'));
  const device = createVirtualDevice({ gpu: 'h100' });
  let build: Build | undefined;
  after(async () => {
    await device.close();
    rmSync(cacheDir, { recursive: true });
  });

  const run = async (of: Plan, calls: Call[], rest: Partial<RunRequest> = {}): Promise<RunResult> => {
    build ??= await buildDeviceCode({ source: `#include <cstdio>\n${source}`, arch: 'sm_90', cacheDir });
    return device.run({ plan: of, build, calls, limits, ...rest });
  };
  const completed = (result: RunResult) => {
    assert.equal(result.status, 'completed', JSON.stringify(result));
    return result as Extract<RunResult, { status: 'completed' }>;
  };

  for (const executor of ['auto', 'interpreter'] as const) {
    it(`runs a plan and seals its outputs (${executor})`, async () => {
      const { calls, findings } = completed(
        await run(plan([launch('twice', [0, 1])]), [call(ramp(0)), call(ramp(5))], { executor }),
      );
      assert.deepEqual(findings, []);
      assert.deepEqual(toFloats(calls[1]!.outputs[0]!.bytes).slice(0, 3), [10, 12, 14]);
      assert.ok(calls[0]!.outputs[0]!.written!.every((byte) => byte === 1));
      assert.deepEqual(calls[0]!.changedInputs, []);
      assert.ok(calls[0]!.threadInstructions >= 512 * 5);
    });
  }

  it('says which elements were never written, and shows poison there', async () => {
    const { calls } = completed(await run(plan([launch('half_of_them', [0, 1])]), [call(ramp(1))]));
    const [output] = calls[0]!.outputs;
    assert.deepEqual([...output!.written!.subarray(0, 4)], [1, 0, 1, 0]);
    assert.deepEqual(toFloats(output!.bytes).slice(0, 4).map(Number.isNaN), [false, true, false, true]);
  });

  it('says which input was changed, and where', async () => {
    // 7.f and -1.f differ in their upper two bytes.
    const { calls } = completed(await run(plan([launch('in_place', [0])], [vector(0)]), [call(ramp(0))]));
    assert.deepEqual(calls[0]!.changedInputs, [{ argument: 0, firstByte: 30 }]);
  });

  it('writes what the host knows into device variables, and copies tensors into them', async () => {
    const symbol = { id: 2, bytes: 8, kind: 'symbol', symbol: 'weights', name: 'weights' } as const;
    const bytes = (buffer: number, offset: number): PlanTensor => ({
      ...{ buffer, dtype: 'uint8', shape: [4], strides: [1], offset },
    });
    const base = plan([
      { kind: 'write', buffer: 2, byteOffset: 0, bytes: '00000040', line: 1 },
      { kind: 'copy', from: bytes(0, 8), to: bytes(2, 4), line: 2 },
      launch('weighted', [0, 1]),
    ]);
    const of: Plan = { ...base, buffers: [...base.buffers, symbol] };
    const fresh = { freshMemory: true, resetGlobals: true };
    const { calls, findings } = completed(await run(of, [call(ramp(0)), call(ramp(5), fresh)]));
    assert.deepEqual(findings, []);
    assert.deepEqual(
      calls.map(({ outputs }) => toFloats(outputs[0]!.bytes).slice(0, 2)),
      [
        [2, 4],
        [17, 19],
      ],
    );
    const untouched = completed(await run(plan([launch('weighted', [0, 1])]), [call(ramp(0))]));
    assert.deepEqual(toFloats(untouched.calls[0]!.outputs[0]!.bytes).slice(0, 2), [10, 11]);
  });

  it('keeps device globals between calls unless told to reset them', async () => {
    const of = plan([launch('count_calls', [1])]);
    const kept = completed(await run(of, [call(ramp(0)), call(ramp(0)), call(ramp(0))]));
    assert.deepEqual(
      kept.calls.map(({ outputs }) => toFloats(outputs[0]!.bytes)[9]),
      [0, 1, 2],
    );
    const reset = completed(await run(of, [call(ramp(0)), call(ramp(0), { resetGlobals: true })]));
    assert.deepEqual(
      reset.calls.map(({ outputs }) => toFloats(outputs[0]!.bytes)[9]),
      [0, 0],
    );
    const later = completed(await run(of, [call(ramp(0))]));
    assert.equal(toFloats(later.calls[0]!.outputs[0]!.bytes)[0], 0, 'another run of the same code begins anew');
  });

  it('moves device variables on as by many calls: counters by sums, other states by making the calls', async () => {
    const after = async (kernel: string, callsSkipped: number) => {
      const calls = [call(ramp(0)), call(ramp(0)), call(ramp(0), { callsSkipped })];
      return toFloats(completed(await run(plan([launch(kernel, [1], 2)]), calls)).calls[2]!.outputs[0]!.bytes)[0];
    };
    assert.equal(await after('count_calls', 100_000), 100_002);
    assert.equal(await after('shift_register', 18), 1);
    assert.equal(await after('shift_register', 29), 2 ** 11);
  });

  it('ends a launch that writes out of bounds, with the finding', async () => {
    const result = await run(plan([launch('past_the_end', [0, 1])]), [call(ramp(0))]);
    assert.equal(result.status, 'faulted');
    const finding = (result as Extract<RunResult, { status: 'faulted' }>).findings.at(-1)!;
    assert.equal(finding.kind, 'out-of-bounds');
    assert.equal(finding.allocation?.name, 'y');
    assert.match(finding.source?.file ?? '', /candidate\.cu/);
  });

  it('fills and copies as the host function asked, through strides and between dtypes', async () => {
    const even: PlanTensor = { buffer: 1, dtype: 'float32', shape: [count / 2], strides: [2], offset: 0 };
    const odd: PlanTensor = { ...even, offset: 1 };
    const firstHalf: PlanTensor = { ...vector(0), shape: [count / 2] };
    const steps: PlanStep[] = [
      { kind: 'fill', tensor: even, bytes: '0000803f', line: 1 },
      { kind: 'copy', from: firstHalf, to: odd, line: 2 },
    ];
    const { calls } = completed(await run(plan(steps), [call(ramp(3))]));
    assert.deepEqual(toFloats(calls[0]!.outputs[0]!.bytes).slice(0, 6), [1, 3, 1, 4, 1, 5]);

    const asIntegers: PlanTensor = { buffer: 1, dtype: 'int32', shape: [count], strides: [1], offset: 0 };
    const converted = completed(
      await run(plan([{ kind: 'copy', from: vector(0), to: asIntegers, line: 1 }], [asIntegers]), [
        call(floats(Array(count).fill(-2.75))),
      ]),
    );
    assert.deepEqual(
      [...new Int32Array(Uint8Array.from(converted.calls[0]!.outputs[0]!.bytes).buffer)].slice(0, 2),
      [-2, -2],
    );
  });

  it('does not count a copy of unwritten memory as written', async () => {
    const [first, second] = [0, count / 2].map((offset): PlanTensor => ({ ...vector(1), shape: [count / 2], offset }));
    const { calls } = completed(
      await run(plan([{ kind: 'copy', from: first!, to: second!, line: 1 }]), [call(ramp(0))]),
    );
    assert.ok(calls[0]!.outputs[0]!.written!.every((byte) => byte === 0));
  });

  it('looks for races in all blocks of the first call, not only in those that a profile would run', async () => {
    const of = plan([launch('leans', [0, 1], count)]);
    const { findings } = completed(await run(of, [call(ramp(0))], { races: true }));
    assert.deepEqual(
      findings.map(({ kind, block }) => [kind, block?.[0]]),
      [['race', 250]],
    );
    assert.deepEqual(completed(await run(of, [call(ramp(0))])).findings, []);
  });

  it('models a time for the target, as an interval', async () => {
    const { modelled, profile } = completed(
      await run(plan([launch('twice', [0, 1])]), [call(ramp(0))], { profile: { gpu: 'a100' } }),
    );
    assert.equal(modelled?.kind, 'modelled');
    assert.equal(modelled?.gpu, 'a100');
    assert.ok(modelled!.low <= modelled!.microseconds && modelled!.microseconds <= modelled!.high);
    // 300 floats are 38 sectors (37.5), read once and written once.
    assert.deepEqual([profile![0]!.global.loadSectors, profile![0]!.global.storeSectors], [38, 38]);
  });

  it('stops what never ends: by instructions, by time, by an abort; and works afterwards', async () => {
    const endless = plan([launch('forever', [1], 1)]);
    const counted = await run(endless, [call(ramp(0))], { limits: { ...limits, instructions: 1e6 } });
    assert.deepEqual([counted.status, counted.status === 'exceeded' && counted.limit], ['exceeded', 'instructions']);
    const timed = await run(endless, [call(ramp(0))], { limits: { ...limits, instructions: 1e15, milliseconds: 500 } });
    assert.deepEqual([timed.status, timed.status === 'exceeded' && timed.limit], ['exceeded', 'time']);
    const aborted = device.run(
      { plan: endless, build: build!, calls: [call(ramp(0))], limits: { ...limits, instructions: 1e15 } },
      AbortSignal.timeout(300),
    );
    await assert.rejects(aborted, { name: 'TimeoutError' });
    completed(await run(plan([launch('twice', [0, 1])]), [call(ramp(0))]));
  });

  it('limits memory and output', async () => {
    const big = await run(plan([launch('twice', [0, 1])]), [call(ramp(0))], {
      limits: { ...limits, memoryBytes: 2000 },
    });
    assert.deepEqual([big.status, big.status === 'exceeded' && big.limit], ['exceeded', 'memory']);
    const loud = await run(plan([launch('chatter', [1], 1)]), [call(ramp(0))]);
    assert.deepEqual([loud.status, loud.status === 'exceeded' && loud.limit], ['exceeded', 'output']);
  });

  it('names what PTX it cannot run', async () => {
    await run(plan([launch('twice', [0, 1])]), [call(ramp(0))]);
    const broken = {
      ...build!,
      ptx: build!.ptx.replace('mul.f32', 'frobnicate.f32').replace('add.f32', 'frobnicate.f32'),
    };
    const result = await device.run({
      plan: plan([launch('twice', [0, 1])]),
      build: broken,
      calls: [call(ramp(0))],
      limits,
    });
    assert.equal(result.status, 'unsupported', JSON.stringify(result));
    assert.match((result as { message: string }).message, /frobnicate/);
  });
});
