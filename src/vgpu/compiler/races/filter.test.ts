/** The race filter of compiled code: what it trusts stays compiled, what it does not is put back and interpreted. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { NeedsInterpreter } from '../../executable.ts';
import { VirtualGpu } from '../../gpu.ts';
import { arg, bytesOf, compileCuda, skipWithoutNvcc } from '../../nvcc-testing.ts';
import type { Dim3, Executor, LaunchReport } from '../../types.ts';
import { GLOBAL_EPOCH, KIND, sweepGlobal, sweepPhase } from './layout.ts';
import { compareVerdicts } from './race-differential.ts';
import { racyProgram } from './random-racy-ptx.ts';

const HONEST = `
#define T 16
extern "C" __global__ void sgemm(const float *a, const float *b, float *c, int n) {
  __shared__ float as[T][T], bs[T][T];
  int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * T + y, col = blockIdx.x * T + x;
  float sum = 0;
  for (int t = 0; t < n; t += T) {
    as[y][x] = a[row * n + t + x];
    bs[y][x] = b[(t + y) * n + col];
    __syncthreads();
    for (int k = 0; k < T; k++) sum += as[y][k] * bs[k][x];
    __syncthreads();
  }
  c[row * n + col] = sum;
}
extern "C" __global__ void softmax(const float *in, float *out, int n) {
  __shared__ float part[8];
  __shared__ float total;
  const float *row = in + blockIdx.x * n;
  float m = -INFINITY, s = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) m = fmaxf(m, row[i]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = m;
  __syncthreads();
  for (int w = 0; w < blockDim.x / 32; w++) m = fmaxf(m, part[w]);
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) s += __expf(row[i] - m);
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) { float t = 0; for (int w = 0; w < blockDim.x / 32; w++) t += part[w]; total = t; }
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) out[blockIdx.x * n + i] = __expf(row[i] - m) / total;
}
extern "C" __global__ void reduce(const float *in, float *out, int n) {
  __shared__ float part[32];
  float s = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) s += in[i];
  for (int o = 16; o; o >>= 1) s += __shfl_down_sync(~0u, s, o);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x < 32) {
    s = threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0;
    for (int o = 16; o; o >>= 1) s += __shfl_down_sync(~0u, s, o);
    if (threadIdx.x == 0) atomicAdd(out, s);
  }
}
extern "C" __global__ void histogram(const int *in, int *bins, int n) {
  __shared__ int own[64];
  if (threadIdx.x < 64) own[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&own[in[i] & 63], 1);
  __syncthreads();
  if (threadIdx.x < 64) atomicAdd(&bins[threadIdx.x], own[threadIdx.x]);
}
extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}
extern "C" __global__ void halves(const unsigned short *in, unsigned short *out) {
  __shared__ unsigned short tile[256];
  tile[threadIdx.x] = in[blockIdx.x * 256 + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 256 + threadIdx.x] = tile[255 - threadIdx.x];
}
extern "C" __global__ void syncwarp(int *out) {
  __shared__ int tile[64];
  for (int round = 0; round < 700; round++) {
    tile[threadIdx.x] = round + threadIdx.x;
    __syncwarp();
    out[threadIdx.x] = tile[threadIdx.x ^ 1];
    __syncwarp();
  }
}`;

describe('honest kernels stay compiled', { skip: skipWithoutNvcc() }, () => {
  let ptx: string | undefined;
  const cases: readonly {
    kernel: string;
    grid: Dim3;
    block: Dim3;
    arguments: (gpu: VirtualGpu) => Uint8Array[];
  }[] = [
    {
      kernel: 'sgemm',
      grid: [3, 3, 1],
      block: [16, 16, 1],
      arguments: (gpu) => [input(gpu, 48 * 48), input(gpu, 48 * 48), output(gpu, 48 * 48), arg.i32(48)],
    },
    {
      kernel: 'softmax',
      grid: [4, 1, 1],
      block: [256, 1, 1],
      arguments: (gpu) => [input(gpu, 4 * 500), output(gpu, 4 * 500), arg.i32(500)],
    },
    {
      kernel: 'reduce',
      grid: [4, 1, 1],
      block: [256, 1, 1],
      arguments: (gpu) => [input(gpu, 5000), input(gpu, 1), arg.i32(5000)],
    },
    {
      kernel: 'histogram',
      grid: [4, 1, 1],
      block: [128, 1, 1],
      arguments: (gpu) => [input(gpu, 3000), input(gpu, 64), arg.i32(3000)],
    },
    {
      kernel: 'saxpy',
      grid: [5, 1, 1],
      block: [128, 1, 1],
      arguments: (gpu) => [arg.i32(600), arg.f32(2), input(gpu, 600), input(gpu, 600)],
    },
    { kernel: 'halves', grid: [3, 1, 1], block: [256, 1, 1], arguments: (gpu) => [input(gpu, 400), output(gpu, 400)] },
    { kernel: 'syncwarp', grid: [1, 1, 1], block: [64, 1, 1], arguments: (gpu) => [output(gpu, 64)] },
  ];
  for (const item of cases)
    it(item.kernel, () => {
      ptx ??= compileCuda(HONEST);
      for (const executor of ['auto', 'scalar'] as const) {
        const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
        const report = launch(gpu, ptx, item.kernel, item.grid, item.block, item.arguments(gpu), executor);
        assert.deepEqual(report.findings, []);
        assert.equal(report.executor, executor === 'auto' ? 'simd' : 'scalar');
      }
    });
});

function input(gpu: VirtualGpu, count: number): Uint8Array {
  const pointer = gpu.allocate(4 * count);
  gpu.write(pointer, bytesOf(Float32Array.from({ length: count }, (_, i) => (i % 17) / 4 - 2)));
  return arg.pointer(pointer);
}

const output = (gpu: VirtualGpu, count: number): Uint8Array => arg.pointer(gpu.allocate(4 * count));

function launch(
  gpu: VirtualGpu,
  ptx: string,
  kernel: string,
  grid: Dim3,
  block: Dim3,
  values: readonly Uint8Array[],
  executor: Executor,
  stopAtFault = true,
): LaunchReport {
  const module = gpu.load(ptx, { name: 'filter' });
  return gpu.launch(module, kernel, { grid, block, arguments: values, executor, races: true, stopAtFault });
}

/** A kernel on one buffer of words, with `body` between the usual head and tail. */
const kernelOf = (body: string): string => `.version 8.0
.target sm_80
.address_size 64
.visible .entry kernel(.param .u64 pout)
{
	.reg .pred %p, %q;
	.reg .b32 %tid, %bid, %n, %v, %w;
	.reg .b64 %out, %own;
	.shared .align 4 .b8 area[512];
	ld.param.u64 %out, [pout];
	mov.u32 %tid, %tid.x;
	mov.u32 %bid, %ctaid.x;
	mul.wide.u32 %own, %tid, 4;
	add.u64 %own, %own, %out;
	${body}
	ret;
}
`;

/** Whether compiled code trusts the kernel; the memory it left. */
function trust(body: string, grid: number, block: number, executor: 'scalar' | 'simd' = 'scalar'): boolean {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const out = gpu.allocate(4096);
  gpu.write(out, new Uint8Array(4096).fill(7));
  try {
    const report = launch(gpu, kernelOf(body), 'kernel', [grid, 1, 1], [block, 1, 1], [arg.pointer(out)], executor);
    assert.deepEqual(report.findings, []);
    return true;
  } catch (error) {
    assert.ok(error instanceof NeedsInterpreter, String(error));
    assert.ok(
      gpu.read(out, 4096).every((byte) => byte === 7),
      'memory is as it was',
    );
    return false;
  }
}

const loop = (label: string, count: number, body: string): string => `
	mov.u32 %n, ${count};
${label}:
	${body}
	sub.u32 %n, %n, 1;
	setp.ne.u32 %p, %n, 0;
	@%p bra ${label};`;
const ONLY = (condition: string, body: string, label: string): string => `
	setp.ne.u32 %q, ${condition};
	@%q bra ${label};
	${body}
${label}:`;

describe('counters that run out', () => {
  it('of shared epochs: no stamp is taken for one of the last round', () => {
    // 1023 epochs: a write by warp 0, all the epochs there are, a write by warp 1.
    for (const extra of [0, 1, 2, 3]) {
      const body = `${ONLY('%tid, 0', 'st.shared.u32 [area], %tid;', 'A')}${loop('L', 1021 + extra, 'bar.sync 0;')}
	${ONLY('%tid, 32', 'st.shared.u32 [area], %tid;', 'B')}`;
      assert.equal(trust(body, 2, 64), true);
    }
  });
  it('of phases: what a warp did before is still ordered, for it alone', () => {
    const syncs = loop('L', 600, 'bar.warp.sync -1;');
    const write = ONLY('%tid, 0', 'st.shared.u32 [area], %tid;', 'A');
    const read = (who: number): string => ONLY(`%tid, ${who}`, 'ld.shared.u32 %v, [area];', 'B');
    assert.equal(trust(write + syncs + read(1), 1, 64), true);
    assert.equal(trust(write + syncs + read(33), 1, 64), false);
    assert.equal(trust(write + read(1), 1, 64), false);
  });
  it('of global epochs: what a block did before a barrier is ordered for it, never for the next block', () => {
    const write = ONLY('%tid, 0', 'st.global.u32 [%out], %tid;', 'A');
    const syncs = loop('L', 530_000, 'bar.sync 0;');
    const read = ONLY('%tid, 1', 'ld.global.u32 %v, [%out];', 'B');
    assert.equal(trust(write + syncs + read, 1, 2), true);
    assert.equal(trust(write + read, 1, 2), false);
    // Blocks differ in what they do: the first writes, the second reads, half a million barriers later.
    const first = ONLY('%bid, 0', 'st.global.u32 [%own], %tid;', 'A');
    const second = ONLY('%bid, 1', 'ld.global.u32 %v, [%own];', 'B');
    assert.equal(trust(first + syncs + second, 2, 2), false);
    assert.equal(trust(ONLY('%bid, 0', 'ld.global.u32 %v, [%own];', 'A') + syncs + second, 2, 2), true);
  });
  it('sweeps keep what matters of each stamp', () => {
    const stamps = Uint32Array.of(0, KIND.blocks, 5 * GLOBAL_EPOCH + 17, 9 * GLOBAL_EPOCH + 33);
    assert.deepEqual(sweepGlobal(stamps, 9 * GLOBAL_EPOCH), { epoch: 3 * GLOBAL_EPOCH, first: 2 * GLOBAL_EPOCH });
    assert.deepEqual([...stamps], [0, KIND.blocks, GLOBAL_EPOCH + 17, 2 * GLOBAL_EPOCH + 33]);
    const epoch = 7 << 22;
    const shared = Uint32Array.of(
      epoch | (5 << 13) | (2 << 8) | 1,
      epoch | (5 << 13) | (3 << 8),
      (6 << 22) | (5 << 13) | (2 << 8),
    );
    sweepPhase(shared, epoch, 2);
    assert.deepEqual(
      [...shared],
      [epoch | (2 << 8) | 1, epoch | (5 << 13) | (3 << 8), (6 << 22) | (5 << 13) | (2 << 8)],
    );
  });
});

describe('synchronisation of a part', () => {
  const write = ONLY('%tid, 0', 'st.shared.u32 [area], %tid;', 'A');
  const read = (who: number): string => ONLY(`%tid, ${who}`, 'ld.shared.u32 %v, [area];', 'B');
  const parted = (border: number, below: string, above: string): string => `
	setp.ge.u32 %p, %tid, ${border};
	@%p bra U;
	${below}
	bra V;
U:
	${above}
V:`;
  it('of half a warp orders nothing for the other half', () => {
    assert.equal(trust(`${write}\nbar.warp.sync -1;\n${read(16)}`, 1, 32), true);
    const halves = parted(16, 'bar.warp.sync 0x0000ffff;', 'bar.warp.sync 0xffff0000;');
    assert.equal(trust(write + halves + read(16), 1, 32), false);
  });
  it('of some warps orders nothing for the others', () => {
    assert.equal(trust(`${write}\nbarrier.sync 1;\n${read(64)}`, 1, 128), true);
    const warps = parted(64, 'barrier.sync 1, 64;', 'barrier.sync 2, 64;');
    assert.equal(trust(write + warps + read(64), 1, 128), false);
  });
});

describe('global memory', () => {
  const ATOMIC = (scope: string): string => `red.relaxed.${scope}.global.add.u32 [%out], 1;`;
  const CASES: readonly [name: string, trusted: boolean, body: string][] = [
    ['atomics of all blocks', true, ATOMIC('gpu')],
    ['atomics of block scope from several blocks', false, ATOMIC('cta')],
    ['a plain read beside atomics', false, `${ATOMIC('gpu')}\n${ONLY('%tid, 3', 'ld.global.u32 %v, [%out];', 'A')}`],
    [
      'a plain read of one block after the atomics of another',
      false,
      `${ONLY('%bid, 0', ATOMIC('gpu'), 'A')}\n${ONLY('%bid, 1', 'ld.global.u32 %v, [%out];', 'B')}`,
    ],
    ['reads by all, written by none', true, 'ld.global.u32 %v, [%out];\nadd.u64 %own, %own, 1024;\n'],
    [
      'reads by all, written by one',
      false,
      `ld.global.u32 %v, [%out];\n${ONLY('%bid, 1', 'st.global.u32 [%out], %v;', 'B')}`,
    ],
    ['each block the same words', false, 'st.global.u32 [%own], %bid;'],
  ];
  for (const [name, trusted, body] of CASES)
    for (const executor of ['scalar', 'simd'] as const)
      it(`${name} (${executor})`, () => assert.equal(trust(body, 2, 32, executor), trusted));
});

test('a launch that goes on after faults has all findings of the interpreter', () => {
  const body = 'st.global.u32 [%out], %tid;\nld.global.u32 %v, [%out+4];\nst.global.u32 [%out+8], %tid;';
  const [wanted, actual] = (['interpreter', 'auto'] as const).map((executor) => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const out = input(gpu, 64);
    return launch(gpu, kernelOf(body), 'kernel', [2, 1, 1], [64, 1, 1], [out], executor, false);
  });
  assert.ok(wanted!.findings.length >= 2);
  assert.deepEqual(actual!.findings, wanted!.findings);
  assert.equal(actual!.executor, 'interpreter');
});

test('random programs: compiled code trusts none that the interpreter accuses', () => {
  let [trusted, races] = [0, 0];
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1 << 20 }), { minLength: 20, maxLength: 200 }), (choices) => {
      const verdict = compareVerdicts(racyProgram(choices), true);
      if (verdict.races) races++;
      else if (verdict.suspected.length === 0) trusted++;
    }),
    { numRuns: 40, seed: 20250202 },
  );
  // Both happen: the filter neither trusts nor suspects everything.
  assert.ok(trusted >= 5 && races >= 5, `${trusted} trusted, ${races} race`);
});
