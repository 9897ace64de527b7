/** Kernels with one known fault each, and their repaired twins: the fault is found, the twin is not accused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, skipWithoutNvcc } from './nvcc-testing.ts';
import type { Finding, FindingKind, LaunchConfig, LaunchReport } from './types.ts';

const SOURCE = `
#include <cassert>
#include <cstdio>
extern "C" {
__global__ void outOfBoundsBad(const float* x, float* y, int n) { int i = threadIdx.x; y[i] = x[i + 1]; }
__global__ void outOfBoundsGood(const float* x, float* y, int n) { int i = threadIdx.x; y[i] = i + 1 < n ? x[i + 1] : 0; }
__global__ void neighbourBad(const float* x, float* y, int n) { y[(int)threadIdx.x - 256] = x[threadIdx.x]; }
__global__ void neighbourGood(const float* x, float* y, int n) { y[threadIdx.x] = x[threadIdx.x]; }
__global__ void misalignedBad(const char* x, float* y, int n) { y[threadIdx.x] = *(const float*)(x + 4 * threadIdx.x + 2); }
__global__ void misalignedGood(const char* x, float* y, int n) { y[threadIdx.x] = *(const float*)(x + 4 * threadIdx.x); }
__global__ void uninitialisedGlobalBad(const float* x, float* y, int n) { y[threadIdx.x] += x[threadIdx.x]; }
__global__ void uninitialisedGlobalGood(const float* x, float* y, int n) { volatile float* v = y; v[threadIdx.x] = 1; v[threadIdx.x] += x[threadIdx.x]; }
__global__ void missingBarrierBad(const float* x, float* y, int n) {
  __shared__ float s[64]; int t = threadIdx.x;
  s[t] = x[t]; y[t] = s[63 - t];
}
__global__ void missingBarrierGood(const float* x, float* y, int n) {
  __shared__ float s[64]; int t = threadIdx.x;
  s[t] = x[t]; __syncthreads(); y[t] = s[63 - t];
}
__global__ void sharedBoundsBad(const float* x, float* y, int n) {
  __shared__ float s[32]; int t = threadIdx.x;
  s[t] = x[t]; __syncthreads(); y[t] = s[t ^ 1];
}
__global__ void sharedBoundsGood(const float* x, float* y, int n) {
  __shared__ float s[64]; int t = threadIdx.x;
  s[t] = x[t]; __syncthreads(); y[t] = s[t ^ 1];
}
__global__ void uninitialisedLocalBad(const float* x, float* y, int n) {
  float a[8]; for (int i = 1; i < n / 8; i++) a[(i * 3) & 7] = x[i]; y[threadIdx.x] = a[threadIdx.x & 7];
}
__global__ void uninitialisedLocalGood(const float* x, float* y, int n) {
  float a[8]; for (int i = 0; i < n / 8; i++) a[(i * 3) & 7] = x[i]; y[threadIdx.x] = a[threadIdx.x & 7];
}
__constant__ float table[4] = {1, 2, 3, 4};
__global__ void constantBad(const float* x, float* y, int n) {
  float* p = (float*)&table[threadIdx.x & 3]; asm volatile("" : "+l"(p)); *p = 1; y[threadIdx.x] = table[0];
}
__global__ void constantGood(const float* x, float* y, int n) { y[threadIdx.x] = table[threadIdx.x & 3]; }
__global__ void divergentBarrierBad(const float* x, float* y, int n) {
  __shared__ float s[64]; int t = threadIdx.x; s[t] = x[t];
  if (t < 32) { __syncthreads(); y[t] = s[t]; } else { y[t] = s[t] * 2; __syncthreads(); y[t] += 1; }
}
__global__ void divergentBarrierGood(const float* x, float* y, int n) {
  __shared__ float s[64]; int t = threadIdx.x; s[t] = x[t]; __syncthreads(); y[t] = t < 32 ? s[t] : s[t] * 2;
}
__global__ void absentLaneBad(const float* x, float* y, int n) {
  int t = threadIdx.x; if (t >= 48) return;
  y[t] = __shfl_down_sync(0xffffffff, x[t], 8);
}
__global__ void absentLaneGood(const float* x, float* y, int n) {
  int t = threadIdx.x; float v = __shfl_down_sync(0xffffffff, x[t], 8); if (t < 48) y[t] = v;
}
__global__ void assertBad(const float* x, float* y, int n) { assert(threadIdx.x < 60); y[threadIdx.x] = x[threadIdx.x]; }
__global__ void assertGood(const float* x, float* y, int n) { assert(threadIdx.x < 64); y[threadIdx.x] = x[threadIdx.x]; }
__global__ void trapBad(const float* x, float* y, int n) { if (x[threadIdx.x] > 60) __trap(); y[threadIdx.x] = 0; }
__global__ void trapGood(const float* x, float* y, int n) { if (x[threadIdx.x] > 99) __trap(); y[threadIdx.x] = 0; }
__global__ void endlessBad(const float* x, float* y, int n) { volatile float* v = y; v[0] = 0; while (v[0] >= 0) v[0] = v[0] + 1; }
__global__ void endlessGood(const float* x, float* y, int n) { volatile float* v = y; v[0] = 0; while (v[0] < 9) v[0] = v[0] + 1; }
__global__ void asyncBad(const float* x, float* y, int n) {
  __shared__ __align__(16) float s[64]; int t = threadIdx.x;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" :: "r"((unsigned)__cvta_generic_to_shared(&s[t])), "l"(x + t) : "memory");
  asm volatile("cp.async.commit_group;" ::: "memory");
  __syncthreads(); y[t] = s[t];
  asm volatile("cp.async.wait_all;" ::: "memory");
}
__global__ void asyncGood(const float* x, float* y, int n) {
  __shared__ __align__(16) float s[64]; int t = threadIdx.x;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" :: "r"((unsigned)__cvta_generic_to_shared(&s[t])), "l"(x + t) : "memory");
  asm volatile("cp.async.commit_group;\\n cp.async.wait_group 0;" ::: "memory");
  __syncthreads(); y[t] = s[63 - t];
}
__global__ void asyncLeftBad(const float* x, float* y, int n) {
  __shared__ __align__(16) float s[64]; int t = threadIdx.x;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" :: "r"((unsigned)__cvta_generic_to_shared(&s[t])), "l"(x + t) : "memory");
  y[t] = x[t];
}
__global__ void asyncLeftGood(const float* x, float* y, int n) {
  __shared__ __align__(16) float s[64]; int t = threadIdx.x;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" :: "r"((unsigned)__cvta_generic_to_shared(&s[t])), "l"(x + t) : "memory");
  asm volatile("cp.async.wait_all;" ::: "memory");
  y[t] = s[t];
}
__global__ void deadlockBad(const float* x, float* y, int n) {
  if (threadIdx.x < 32) asm volatile("bar.sync 1, 64;"); else asm volatile("bar.sync 2, 64;");
  y[threadIdx.x] = 0;
}
__global__ void deadlockGood(const float* x, float* y, int n) { asm volatile("bar.sync 1, 64;"); y[threadIdx.x] = 0; }
__global__ void prints(const float* x, float* y, int n) {
  if (threadIdx.x < 2) printf("thread %d of %s: %6.2f|%-4u|%c|%e|%lld%%\\n", threadIdx.x, "kernel", x[3], n, 'z', 12345.678, -5ll);
}
__global__ void earlyReturn(const float* x, float* y, int n) {
  __shared__ float s[64]; int t = threadIdx.x; if (t >= 40) return;
  s[t] = x[t]; __syncthreads(); y[t] = s[39 - t];
}
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE) : '';
const N = 64;

function launch(kernel: string, config: Partial<LaunchConfig> = {}): { report: LaunchReport; gpu: VirtualGpu } {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(ptx, { name: 'faults' });
  const x = gpu.allocate(N * 4, { name: 'x' });
  const y = gpu.allocate(N * 4, { name: 'y' });
  gpu.write(x, bytesOf(Float32Array.from({ length: N }, (_, i) => i)));
  const report = gpu.launch(module, kernel, {
    grid: [1, 1, 1],
    block: [N, 1, 1],
    arguments: [arg.pointer(x), arg.pointer(y), arg.i32(N)],
    executor: 'interpreter',
    instructionBudget: 1e6,
    ...config,
  });
  return { report, gpu };
}

const PAIRS: readonly [name: string, kind: FindingKind, also?: (finding: Finding) => void][] = [
  [
    'outOfBounds',
    'out-of-bounds',
    (finding) => {
      assert.deepEqual(finding.thread, [63, 0, 0]);
      assert.deepEqual(finding.allocation, { name: 'x', bytes: 256, offset: 256 });
      assert.equal(finding.access, 'read');
      assert.equal(finding.source?.file.endsWith('kernel.cu'), true);
      assert.equal(SOURCE.split('\n')[finding.source!.line - 1]!.includes('outOfBoundsBad'), true);
    },
  ],
  [
    'neighbour',
    'out-of-bounds',
    (finding) => {
      assert.equal(finding.allocation?.name, 'y');
      assert.equal(finding.allocation?.offset, -1024);
    },
  ],
  ['misaligned', 'misaligned'],
  ['uninitialisedGlobal', 'uninitialised-read'],
  ['missingBarrier', 'uninitialised-read', (finding) => assert.equal(finding.space, 'shared')],
  [
    'sharedBounds',
    'out-of-bounds',
    (finding) => {
      assert.equal(finding.space, 'shared');
      assert.match(
        finding.message,
        / s has only 128 bytes| variable s /,
        'the variable is not called what the text calls it',
      );
    },
  ],
  ['uninitialisedLocal', 'uninitialised-read', (finding) => assert.equal(finding.space, 'local')],
  ['constant', 'write-to-readonly'],
  ['divergentBarrier', 'barrier-divergence'],
  ['absentLane', 'absent-lane', (finding) => assert.equal(finding.count, 8)],
  ['assert', 'assert', (finding) => assert.match(finding.message, /threadIdx\.x < 60/)],
  ['trap', 'trap'],
  ['endless', 'budget-exceeded'],
  ['async', 'uninitialised-read', (finding) => assert.match(finding.message, /in flight/)],
  ['asyncLeft', 'unfinished-async-copy'],
  ['deadlock', 'deadlock', (finding) => assert.match(finding.message, /warp 0, lanes 0-31.*warp 1/)],
];

describe('faults and their repaired twins', { skip: skipWithoutNvcc() }, () => {
  for (const [name, kind, also] of PAIRS) {
    it(`${name}: ${kind}`, () => {
      const bad = launch(`${name}Bad`).report;
      assert.equal(bad.findings[0]?.kind, kind, JSON.stringify(bad.findings, null, 1));
      assert.equal(bad.findings.length, 1);
      also?.(bad.findings[0]!);
      const good = launch(`${name}Good`).report;
      assert.deepEqual(good.findings, []);
      assert.equal(good.completed, true);
    });
  }

  it('counts repeated faults when it does not stop at the first', () => {
    const { report } = launch('outOfBoundsBad', { block: [N, 1, 1], grid: [3, 1, 1], stopAtFault: false });
    assert.equal(report.completed, true);
    assert.equal(report.findings.length, 1);
    assert.equal(report.findings[0]?.count, 3);
  });

  it('threads that return early leave the barrier', () => {
    const { report, gpu } = launch('earlyReturn');
    assert.deepEqual(report.findings, []);
    assert.ok(gpu);
  });

  it('captures what kernels print', () => {
    const { report } = launch('prints');
    const rest = 'of kernel:   3.00|64  |z|1.234568e+04|-5%\n';
    assert.equal(report.printed, `thread 0 ${rest}thread 1 ${rest}`);
  });

  it('memory that was not passed to the launch is out of bounds', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const module = gpu.load(ptx);
    const [x, y] = [gpu.allocate(256, { name: 'x' }), gpu.allocate(256, { name: 'y' })];
    gpu.write(x, new Uint8Array(256));
    const report = gpu.launch(module, 'trapGood', {
      grid: [1, 1, 1],
      block: [64, 1, 1],
      arguments: [arg.pointer(x), arg.pointer(y), arg.i32(64)],
      allocations: [x],
    });
    assert.equal(report.findings[0]?.kind, 'out-of-bounds');
    assert.match(report.findings[0]!.message, /y was not passed to this launch/);
  });

  it('freed memory is use after free, also when a new allocation could have taken its place', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const module = gpu.load(ptx);
    const [x, y] = [gpu.allocate(256, { name: 'x' }), gpu.allocate(256, { name: 'y' })];
    gpu.write(x, new Uint8Array(256));
    gpu.free(y);
    gpu.allocate(256, { name: 'z' });
    const report = gpu.launch(module, 'trapGood', {
      grid: [1, 1, 1],
      block: [64, 1, 1],
      arguments: [arg.pointer(x), arg.pointer(y), arg.i32(64)],
    });
    assert.equal(report.findings[0]?.kind, 'use-after-free');
    assert.equal(report.findings[0]?.allocation?.name, 'y');
  });

  it('an input that the launch may not write is named as such', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const module = gpu.load(ptx);
    const x = gpu.allocate(256, { name: 'x' });
    gpu.write(x, new Uint8Array(256));
    const y = gpu.memory.allocate(256, { name: 'y', input: true }).address;
    const [finding] = gpu.launch(module, 'trapGood', {
      grid: [1, 1, 1],
      block: [64, 1, 1],
      arguments: [arg.pointer(x), arg.pointer(y), arg.i32(64)],
    }).findings;
    assert.equal(finding?.kind, 'write-to-readonly');
    assert.match(finding!.message, /this is the input y, which this launch may not write/);
  });

  it('is as new after a reset', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const first = gpu.allocate(256, { name: 'x' });
    gpu.write(first, new Uint8Array(256).fill(7));
    gpu.reset();
    assert.equal(gpu.memory.allocations.length, 0);
    assert.throws(() => gpu.read(first, 4), RangeError);
    const again = gpu.allocate(256, { name: 'x' });
    assert.equal(again, first);
    assert.deepEqual(gpu.written(again, 256), new Uint8Array(256));
    assert.deepEqual(gpu.read(again, 256), new Uint8Array(256));
  });

  it('refuses launches that no GPU would take', () => {
    const report = launch('trapGood', { block: [2048, 1, 1] }).report;
    assert.equal(report.findings[0]?.kind, 'bad-launch');
    assert.throws(() => launch('trapGood', { arguments: [] }), /takes 3 parameters, 0 are given/);
    assert.throws(() => launch('nothing'), /there is no kernel nothing/);
  });
});
