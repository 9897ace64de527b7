/** Blocks run by sample: what they wrote, exactly, in every executor, and the same values as in the full run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sampleBlocks, typicalBlocks } from './block-sample.ts';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, f32Of, skipWithoutNvcc } from './nvcc-testing.ts';
import type { Dim3, Executor, LaunchConfig, WrittenBytes } from './types.ts';

const executors: readonly Executor[] = ['interpreter', 'scalar', 'simd'];

const source = `
#include <cooperative_groups.h>
extern "C" __global__ void addInPlace(float* x, const float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] += y[i];
}
// Bytes of every width, at strides and offsets of each block's own, over what was there before.
extern "C" __global__ void scattered(unsigned char* a, short* b, float* c, double* d, float4* e, int* counters) {
  int t = threadIdx.x, g = blockIdx.x * blockDim.x + t;
  if (t % 3 == 0) a[g] = a[g] + 1;
  if (t % 2 == 1) b[g] = (short)g;
  c[3 * g] = 1.0f;
  if (blockIdx.x % 2 == 0) d[g ^ 5] = 2.0;
  if (t < 7) e[g] = make_float4(1, 2, 3, 4);
  atomicAdd(&counters[blockIdx.x * 8 + (t & 3)], 1);
}
extern "C" __global__ void halo(float* out, const float* in, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) out[i] = in[i - 1] + in[i] + in[i + 1];
}
extern "C" __global__ void fill(float* out, int n) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < n && y < n) out[(size_t)y * n + x] = (float)(x - y);
}
extern "C" __global__ void gemm(const float* a, const float* b, float* c, int n) {
  __shared__ float as[16][16], bs[16][16];
  int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    as[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
    bs[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + col];
    __syncthreads();
    for (int i = 0; i < 16; i++) sum += as[threadIdx.y][i] * bs[i][threadIdx.x];
    __syncthreads();
  }
  c[row * n + col] = sum;
}
extern "C" __global__ void gridBarrier(int* x) {
  x[blockIdx.x] = 1;
  cooperative_groups::this_grid().sync();
  x[blockIdx.x] += x[(blockIdx.x + 1) % gridDim.x];
}
`;

/** The set of bytes as one byte each, which is plain. */
function bytesWritten(written: readonly WrittenBytes[], name: string, size: number): Uint8Array {
  const set = new Uint8Array(size);
  const ranges = written.find((one) => one.name === name)?.ranges ?? new Uint32Array();
  let last = -1;
  for (let i = 0; i < ranges.length; i += 2) {
    assert.ok(ranges[i]! > last && ranges[i + 1]! > ranges[i]! && ranges[i + 1]! <= size, 'ascending and apart');
    set.fill(1, ranges[i]!, ranges[i + 1]!);
    last = ranges[i + 1]!;
  }
  return set;
}

describe('what a launch wrote', { skip: skipWithoutNvcc() }, () => {
  const ptx = compileCuda(source);

  for (const executor of executors) {
    it(`is exact to the byte, of each block, over initialised buffers (${executor})`, () => {
      const [blocks, threads] = [9, 64];
      const total = blocks * threads;
      const sizes = { a: total, b: 2 * total, c: 12 * total, d: 8 * total, e: 16 * total, counters: blocks * 32 };
      const expected = (of: (block: number) => boolean): Record<keyof typeof sizes, Uint8Array> => {
        const sets = Object.fromEntries(Object.entries(sizes).map(([name, n]) => [name, new Uint8Array(n)]));
        for (let g = 0; g < total; g++) {
          const [block, t] = [Math.floor(g / threads), g % threads];
          if (!of(block)) continue;
          const put = (name: string, element: number, size: number) =>
            sets[name]!.fill(1, element * size, (element + 1) * size);
          if (t % 3 === 0) put('a', g, 1);
          if (t % 2 === 1) put('b', g, 2);
          put('c', 3 * g, 4);
          if (block % 2 === 0) put('d', g ^ 5, 8);
          if (t < 7) put('e', g, 16);
          put('counters', block * 8 + (t & 3), 4);
        }
        return sets as Record<keyof typeof sizes, Uint8Array>;
      };
      const gpu = new VirtualGpu({ memoryBytes: 2 ** 24 });
      const module = gpu.load(ptx);
      const pointers = Object.entries(sizes).map(([name, n]) => {
        const pointer = gpu.allocate(n, { name });
        gpu.write(pointer, new Uint8Array(n));
        return pointer;
      });
      const config: LaunchConfig = {
        executor,
        grid: [blocks, 1, 1],
        block: [threads, 1, 1],
        arguments: pointers.map(arg.pointer),
      };
      const check = (written: readonly WrittenBytes[], of: (block: number) => boolean) => {
        for (const [name, set] of Object.entries(expected(of))) {
          assert.deepEqual(bytesWritten(written, name, set.length), set, name);
          const found = written.find((one) => one.name === name);
          assert.equal(
            found?.bytes ?? 0,
            set.reduce((sum, one) => sum + one, 0),
          );
        }
      };
      const all = gpu.launch(module, 'scattered', { ...config, written: 'launch' });
      assert.deepEqual([all.findings, all.executor], [[], executor]);
      check(all.written!, () => true);
      const some = gpu.launch(module, 'scattered', { ...config, blocks: [1, 4, 8], written: 'launch' });
      check(some.written!, (block) => [1, 4, 8].includes(block));
      const each = gpu.launch(module, 'scattered', { ...config, written: 'blocks' });
      assert.deepEqual(
        each.writtenByBlock!.map(({ block }) => block),
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
      );
      for (const { block, written } of each.writtenByBlock!) check(written, (other) => other === block);
      assert.equal(each.threadInstructions, all.threadInstructions);
      assert.equal(gpu.launch(module, 'scattered', config).written, undefined);
    });

    it(`sampled blocks give the values of the full run (${executor})`, () => {
      const n = 5000;
      const values = Float32Array.from({ length: n }, (_, i) => Math.sin(i));
      const run = (blocks: number[] | undefined) => {
        const gpu = new VirtualGpu({ memoryBytes: 2 ** 22 });
        const x = gpu.allocate(4 * n, { name: 'x' });
        const y = gpu.allocate(4 * n, { name: 'y' });
        gpu.write(x, bytesOf(values));
        gpu.write(y, bytesOf(values));
        const report = gpu.launch(gpu.load(ptx), 'addInPlace', {
          executor,
          grid: [40, 1, 1],
          block: [128, 1, 1],
          arguments: [arg.pointer(x), arg.pointer(y), arg.i32(n)],
          blocks,
          written: 'launch',
        });
        assert.deepEqual(report.findings, []);
        return { values: f32Of(gpu.read(x, 4 * n)), written: report.written! };
      };
      const full = run(undefined);
      assert.deepEqual([...full.written[0]!.ranges], [0, 4 * n]);
      const part = run([0, 3, 4, 39]);
      // The last block has 128 threads for 8 elements.
      assert.deepEqual([...part.written[0]!.ranges], [0, 512, 3 * 512, 5 * 512, 39 * 512, 4 * n]);
      assert.equal(part.written.length, 1, 'what is only read is left out');
      for (let i = 0; i < n; i++) {
        const ran = [0, 3, 4, 39].includes(Math.floor(i / 128));
        assert.equal(part.values[i], ran ? full.values[i] : values[i]);
      }
    });
  }

  it('a sample of a 4096^3 product: exactly the tiles of its blocks, with the right values', () => {
    const n = 4096;
    const gpu = new VirtualGpu();
    const [a, b] = [new Float32Array(n * n), new Float32Array(n * n)];
    for (let i = 0; i < n * n; i++) {
      a[i] = (Math.imul(i, 0x9e3779b1) >>> 28) - 8;
      b[i] = (Math.imul(i + 77, 0x9e3779b1) >>> 28) - 8;
    }
    const pointers = [a, b].map((array, index) => {
      const pointer = gpu.allocate(array.byteLength, { name: 'ab'[index] });
      gpu.write(pointer, bytesOf(array));
      return pointer;
    });
    const c = gpu.allocate(4 * n * n, { name: 'c' });
    const grid: Dim3 = [n / 16, n / 16, 1];
    const blocks = sampleBlocks(grid, { count: 6, seed: 5 });
    const report = gpu.launch(gpu.load(ptx), 'gemm', {
      grid,
      block: [16, 16, 1],
      arguments: [...pointers, c].map(arg.pointer).concat(arg.i32(n)),
      blocks,
      written: 'blocks',
    });
    assert.deepEqual([report.findings, report.completed], [[], true]);
    for (const { block, written } of report.writtenByBlock!) {
      const [x, y] = [block % grid[0], Math.floor(block / grid[0])];
      const rows = Array.from({ length: 16 }, (_, r) => 4 * ((y * 16 + r) * n + x * 16));
      assert.deepEqual(
        [...written[0]!.ranges],
        rows.flatMap((start) => [start, start + 64]),
      );
      for (const [row, start] of rows.entries()) {
        const got = f32Of(gpu.read(c + BigInt(start), 64));
        for (const column of [0, 7, 15]) {
          let sum = 0;
          for (let k = 0; k < n; k++) sum += a[(y * 16 + row) * n + k]! * b[k * n + x * 16 + column]!;
          assert.equal(got[column], sum, 'sums of small integers are exact');
        }
      }
    }
  });

  it('a sample of a 16384 x 16384 output touches only what it writes', () => {
    const n = 16384;
    const gpu = new VirtualGpu();
    const out = gpu.allocate(4 * n * n, { name: 'out' });
    const grid: Dim3 = [n / 32, n / 8, 1];
    const blocks = sampleBlocks(grid, { count: 64 });
    const before = process.memoryUsage().rss;
    const started = process.cpuUsage();
    const report = gpu.launch(gpu.load(ptx), 'fill', {
      grid,
      block: [32, 8, 1],
      arguments: [arg.pointer(out), arg.i32(n)],
      blocks,
      written: 'blocks',
    });
    const spent = process.cpuUsage(started);
    assert.deepEqual(report.findings, []);
    assert.equal(report.writtenByBlock!.length, 64);
    for (const { block, written } of report.writtenByBlock!) {
      const [x, y] = [(block % grid[0]) * 32, Math.floor(block / grid[0]) * 8];
      assert.equal(written[0]!.bytes, 1024);
      assert.equal(written[0]!.ranges[0], 4 * (y * n + x));
      assert.equal(f32Of(gpu.read(out + BigInt(written[0]!.ranges[0]!), 4))[0], x - y);
    }
    // 1 GiB of output, its map a quarter of that: neither may be walked through.
    assert.ok(process.memoryUsage().rss - before < 200e6);
    assert.ok(spent.user + spent.system < 5e6, `${(spent.user + spent.system) / 1e6} s`);
  });

  it('a whole output of 100 MB is read out in a moment', () => {
    const n = 5000;
    const gpu = new VirtualGpu();
    const out = gpu.allocate(4 * n * n, { name: 'out' });
    const report = gpu.launch(gpu.load(ptx), 'fill', {
      grid: [Math.ceil(n / 32), Math.ceil(n / 8), 1],
      block: [32, 8, 1],
      arguments: [arg.pointer(out), arg.i32(n)],
      written: 'launch',
    });
    assert.deepEqual([...report.written![0]!.ranges], [0, 4 * n * n]);
  });

  it('the map leaves nothing behind: later launches and allocations are as before', () => {
    const gpu = new VirtualGpu({ memoryBytes: 2 ** 22 });
    const module = gpu.load(ptx);
    const x = gpu.allocate(4096, { name: 'x' });
    gpu.write(x, new Uint8Array(4096));
    const config: LaunchConfig = {
      grid: [8, 1, 1],
      block: [128, 1, 1],
      arguments: [arg.pointer(x), arg.pointer(x), arg.i32(1024)],
    };
    for (const blocks of [[0], [3, 4], [7]]) {
      const { written } = gpu.launch(module, 'addInPlace', { ...config, blocks, written: 'launch' });
      assert.deepEqual([...written![0]!.ranges], [blocks[0]! * 512, (blocks.at(-1)! + 1) * 512]);
    }
    const fresh = gpu.allocate(2 ** 20, { name: 'fresh' });
    assert.ok(gpu.written(fresh, 2 ** 20).every((byte) => byte === 0));
  });

  it('what cannot be sampled or recorded is refused in a sentence', () => {
    const gpu = new VirtualGpu({ memoryBytes: 2 ** 20 });
    const module = gpu.load(ptx);
    const x = gpu.allocate(64, { name: 'x' });
    const config: LaunchConfig = { grid: [4, 1, 1], block: [32, 1, 1], arguments: [arg.pointer(x)] };
    assert.throws(
      () => gpu.launch(module, 'gridBarrier', { ...config, blocks: [0, 2] }),
      /barrier over the whole grid/,
    );
    assert.throws(() => gpu.launch(module, 'gridBarrier', { ...config, written: 'blocks' }), /Run all 4 blocks/);
    const whole = gpu.launch(module, 'gridBarrier', { ...config, written: 'launch' });
    assert.deepEqual([...whole.written![0]!.ranges], [0, 16]);
    assert.throws(() => gpu.launch(module, 'gridBarrier', { ...config, blocks: [4] }), /no block 4/);
    assert.throws(
      () => gpu.launch(module, 'gridBarrier', { ...config, checked: false, written: 'launch' }),
      /only with checks on/,
    );
    const large = gpu.allocate(900_000, { name: 'large' });
    assert.throws(
      () => gpu.launch(module, 'gridBarrier', { ...config, arguments: [arg.pointer(large)], written: 'launch' }),
      /out of memory/,
    );
    assert.throws(() => new VirtualGpu({ memoryBytes: 4 * 2 ** 30 }), /at most 3 GiB/);
  });
});

describe('the choice of blocks', () => {
  it('takes the ends, corners and edges first, and the same blocks for the same seed', () => {
    const grid: Dim3 = [100, 50, 1];
    const corners = [0, 99, 4900, 4999];
    assert.deepEqual(sampleBlocks(grid, { count: 4 }), corners);
    assert.deepEqual(sampleBlocks(grid, { count: 2 }), [0, 4999]);
    const nine = sampleBlocks(grid, { count: 9 });
    assert.deepEqual(nine, [0, 50, 99, 2500, 2550, 2599, 4900, 4950, 4999]);
    assert.deepEqual(sampleBlocks(grid, { seed: 3 }), sampleBlocks(grid, { seed: 3 }));
    assert.notDeepEqual(sampleBlocks(grid, { seed: 3 }), sampleBlocks(grid, { seed: 4 }));
  });

  it('gives distinct, ascending blocks of the grid, as many as asked for or all', () => {
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 2, max: 200 }), (x, y, z, count) => {
        const total = x * y * z;
        const blocks = sampleBlocks([x, y, z], { count });
        assert.equal(blocks.length, Math.min(count, total));
        assert.deepEqual([blocks[0], blocks.at(-1)], [0, total - 1]);
        const typical = typicalBlocks([x, y, z], count);
        assert.ok(typical.length <= Math.max(count, 4) && (total > count || typical.length === total));
        for (const chosen of [blocks, typical])
          assert.ok(chosen.every((block, i) => block >= 0 && block < total && (i === 0 || block > chosen[i - 1]!)));
      }),
    );
  });

  it('takes typical blocks with their neighbours along every axis', () => {
    assert.deepEqual(typicalBlocks([100, 1, 1], 4), [25, 26, 75, 76]);
    assert.deepEqual(typicalBlocks([10, 10, 1], 3), [50, 51, 60]);
    assert.deepEqual(typicalBlocks([2, 2, 2], 7), [0, 1, 2, 4]);
  });
});
