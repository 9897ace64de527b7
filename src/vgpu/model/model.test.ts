/** The time model says of kernels in pairs what everyone knows of them, on every target, and never less than their own roofline. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { typicalBlocks } from '../block-sample.ts';
import { VirtualGpu } from '../gpu.ts';
import { arg, compileCuda, skipWithoutNvcc } from '../nvcc-testing.ts';
import type { Dim3, LaunchProfile } from '../types.ts';
import { occupancy } from './occupancy.ts';
import { profileInWords } from './profile-words.ts';
import { defaultConstants, type GpuTarget, gpuTarget, gpuTargets } from './targets.ts';
import { launchTime, type ModelledLaunch, modelTime } from './time.ts';

const source = `
#define I (blockIdx.x * blockDim.x + threadIdx.x)
extern "C" __global__ void copy(const float* x, float* y) { y[I] = x[I]; }
extern "C" __global__ void copy4(const float4* x, float4* y) { y[I] = x[I]; }
extern "C" __global__ void strided(const float* x, float* y) { y[I] = x[I * 8]; }
extern "C" __global__ void halves(const float* x, float* y) { if (threadIdx.x % 2 == 0) y[I] = x[I]; }
template <int pad> __device__ void transposeTile(const float* in, float* out, int n) {
  __shared__ float tile[32][32 + pad];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * n + x];
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x, y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8) out[(y + j) * n + x] = tile[threadIdx.x][threadIdx.y + j];
}
extern "C" __global__ void transposePlain(const float* in, float* out, int n) { transposeTile<0>(in, out, n); }
extern "C" __global__ void transposePadded(const float* in, float* out, int n) { transposeTile<1>(in, out, n); }
template <int pad> __device__ void columns(float* out) {
  __shared__ float tile[32 * (32 + pad)];
  for (int i = threadIdx.x; i < 32 * (32 + pad); i += 32) tile[i] = i;
  __syncwarp();
  float sum = 0;
  for (int r = 0; r < 16; r++)
    for (int c = 0; c < 32; c++) sum += ((volatile float*)tile)[threadIdx.x * (32 + pad) + c];
  out[I] = sum;
}
extern "C" __global__ void columnsPlain(float* out) { columns<0>(out); }
extern "C" __global__ void columnsPadded(float* out) { columns<1>(out); }
extern "C" __global__ void gemmNaive(const float* a, const float* b, float* c, int n) {
  int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + col];
  c[row * n + col] = sum;
}
extern "C" __global__ void gemmTiled(const float* a, const float* b, float* c, int n) {
  __shared__ float as[64][17], bs[16][64];
  int t = threadIdx.y * 16 + threadIdx.x;
  int row = blockIdx.y * 64, col = blockIdx.x * 64;
  float sum[4][4] = {};
  for (int k = 0; k < n; k += 16) {
    for (int i = t; i < 1024; i += 256) as[i / 16][i % 16] = a[(row + i / 16) * n + k + i % 16];
    for (int i = t; i < 1024; i += 256) bs[i / 64][i % 64] = b[(k + i / 64) * n + col + i % 64];
    __syncthreads();
    for (int i = 0; i < 16; i++)
      for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++) sum[y][x] += as[threadIdx.y + 16 * y][i] * bs[i][threadIdx.x + 16 * x];
    __syncthreads();
  }
  for (int y = 0; y < 4; y++)
    for (int x = 0; x < 4; x++) c[(row + threadIdx.y + 16 * y) * n + col + threadIdx.x + 16 * x] = sum[y][x];
}
extern "C" __global__ void chase(const int* next, int* out) {
  int i = I;
  for (int k = 0; k < 64; k++) i = next[i];
  out[I] = i;
}
extern "C" __global__ void histogram(const int* x, int* bins, int mask) { atomicAdd(&bins[x[I] & mask], 1); }
extern "C" __global__ void uneven(float* out) {
  float v = threadIdx.x;
  for (int r = 0; r < 8; r++) {
    if (threadIdx.x < 32) for (int i = 0; i < 256; i++) v = v * v + 1.0f;
    __syncthreads();
  }
  out[I] = v;
}
`;

describe('the time model', { skip: skipWithoutNvcc() }, () => {
  const gpu = new VirtualGpu();
  const module = gpu.load(compileCuda(source));

  function launch(kernel: string, grid: Dim3, block: Dim3, buffers: number[], integers: number[] = []): ModelledLaunch {
    const pointers = buffers.map((bytes, index) => {
      const pointer = gpu.allocate(bytes, { name: 'abc'[index] });
      // Zeros are read as indices and values; only their addresses matter here.
      gpu.write(pointer, new Uint8Array(bytes));
      return pointer;
    });
    const report = gpu.launch(module, kernel, {
      grid,
      block,
      arguments: [...pointers.map(arg.pointer), ...integers.map(arg.i32)],
      profile: true,
      blocks: typicalBlocks(grid, 6),
    });
    for (const pointer of pointers) gpu.free(pointer);
    assert.deepEqual([report.findings, report.completed], [[], true]);
    const layout = module.sharedLayout(module.ptx.functions.get(kernel)!);
    return {
      profile: report.profile!,
      demand: { threads: block[0] * block[1] * block[2], registers: 32, sharedBytes: layout.staticBytes },
      spillBytes: 0,
    };
  }
  const onAll = (check: (target: GpuTarget) => void) => {
    for (const target of gpuTargets) check(target);
  };
  const time = (one: ModelledLaunch, target: GpuTarget) => modelTime([one], target);
  const MB = 2 ** 20;

  const copy = launch('copy', [65536, 1, 1], [256, 1, 1], [64 * MB, 64 * MB]);
  const wide = launch('copy4', [16384, 1, 1], [256, 1, 1], [64 * MB, 64 * MB]);
  const strided = launch('strided', [65536, 1, 1], [256, 1, 1], [512 * MB, 64 * MB]);
  const n = 1024;
  const matrix = 4 * n * n;
  const naive = launch('gemmNaive', [n / 16, n / 16, 1], [16, 16, 1], [matrix, matrix, matrix], [n]);
  const tiled = launch('gemmTiled', [n / 64, n / 64, 1], [16, 16, 1], [matrix, matrix, matrix], [n]);
  const plain = launch('columnsPlain', [4096, 1, 1], [32, 1, 1], [512 * 1024]);
  const padded = launch('columnsPadded', [4096, 1, 1], [32, 1, 1], [512 * 1024]);
  const chase = launch('chase', [528, 1, 1], [256, 1, 1], [528 * 1024, 528 * 1024]);
  const uneven = launch('uneven', [256, 1, 1], [256, 1, 1], [256 * 1024]);
  const hot = launch('histogram', [4096, 1, 1], [256, 1, 1], [4 * MB, 4096], [0]);
  const everything = [copy, strided, naive, tiled, plain, padded, chase, uneven, hot];

  it('more bytes are not faster', () => {
    onAll((target) => {
      let last = 0;
      for (const blocks of [1, 16, 256, 1000, 4096, 16384]) {
        const one = launch('copy', [blocks, 1, 1], [256, 1, 1], [blocks * 1024, blocks * 1024]);
        const { microseconds } = time(one, target);
        assert.ok(microseconds >= last, `${target.id}: ${blocks} blocks in ${microseconds}, fewer in ${last}`);
        last = microseconds;
      }
    });
  });

  it('a large copy runs at the memory bandwidth and says so', () => {
    onAll((target) => {
      const { microseconds, low, limitedBy } = time(wide, target);
      const floor = (128 * MB) / target.memoryBandwidth / 1e-6;
      assert.equal(limitedBy, 'memory bandwidth', target.id);
      assert.ok(microseconds > floor && microseconds < 1.6 * floor + 5, `${target.id}: ${microseconds} of ${floor}`);
      assert.ok(low > (64 * MB) / target.memoryBandwidth / 1e-6);
    });
  });

  it('coalesced beats strided; wide loads are no slower; whole warps beat half-empty ones', () => {
    const halves = launch('halves', [65536, 1, 1], [256, 1, 1], [64 * MB, 64 * MB]);
    onAll((target) => {
      assert.ok(time(strided, target).microseconds > 3 * time(copy, target).microseconds, target.id);
      assert.ok(time(wide, target).microseconds <= 1.001 * time(copy, target).microseconds, target.id);
      assert.ok(time(halves, target).microseconds >= 0.999 * time(copy, target).microseconds, target.id);
    });
  });

  it('a register-tiled product beats the naive one', () => {
    onAll((target) => {
      const [slow, fast] = [time(naive, target), time(tiled, target)];
      assert.ok(
        slow.microseconds > 1.5 * fast.microseconds,
        `${target.id}: ${slow.microseconds}, ${fast.microseconds}`,
      );
    });
  });

  it('no bank conflicts beat 32-way ones, which are named', () => {
    onAll((target) => {
      const [slow, fast] = [time(plain, target), time(padded, target)];
      assert.ok(slow.microseconds > 4 * fast.microseconds, `${target.id}: ${slow.microseconds}, ${fast.microseconds}`);
      assert.match(slow.limitedBy, /^shared-memory bank conflicts: \d+(\.\d)?-way/);
      assert.doesNotMatch(fast.limitedBy, /conflict/);
    });
    const transposes = ['transposePlain', 'transposePadded'].map((kernel) =>
      launch(kernel, [64, 64, 1], [32, 8, 1], [16 * MB, 16 * MB], [2048]),
    );
    onAll((target) => {
      const [conflicted, free] = transposes.map((one) => time(one, target).microseconds);
      assert.ok(conflicted! >= free!, target.id);
    });
  });

  it('more occupancy is not slower when latency limits', () => {
    onAll((target) => {
      let last = Number.POSITIVE_INFINITY;
      for (const sharedBytes of [48, 32, 24, 16, 8, 0].map((kib) => kib * 1024)) {
        const one = { ...chase, demand: { ...chase.demand, sharedBytes } };
        const { microseconds } = time(one, target);
        assert.ok(microseconds <= 1.0001 * last, `${target.id}: ${sharedBytes} bytes in ${microseconds} after ${last}`);
        last = microseconds;
      }
    });
    const few = { ...chase, demand: { ...chase.demand, sharedBytes: 200 * 1024 } };
    assert.match(time(few, gpuTarget('h100')).limitedBy, /^latency: too little in flight at 13 % occupancy$/);
  });

  it('names contended atomics and waits at barriers', () => {
    assert.match(time(hot, gpuTarget('h100')).limitedBy, /^atomics on one address: 1,048,576 updates$/);
    assert.match(time(uneven, gpuTarget('h100')).limitedBy, /^waits at barriers: \d+ % of the time/);
    assert.equal(
      time(launch('copy', [1, 1, 1], [32, 1, 1], [128, 128]), gpuTarget('h100')).limitedBy,
      'launch overhead',
    );
  });

  it('is never below the roofline of its own counts, and the estimate lies in its interval', () => {
    onAll((target) => {
      for (const one of everything) {
        const { low, high, microseconds, resources } = time(one, target);
        const { profile } = one;
        const count = (name: string) => profile.byClass[name] ?? 0;
        const perSm = Math.ceil(profile.totalBlocks / target.sms) / profile.totalBlocks;
        const roofs = {
          fp32: ((count('fp32') * 32) / target.lanesPerClock.fp32) * (perSm / target.clockHz),
          banks: profile.shared.leastWavefronts * (128 / target.l1BytesPerClock) * (perSm / target.clockHz),
          reads:
            profile.allocations.reduce(
              (sum, { uniqueBytes, loadSectors }) => sum + Math.min(uniqueBytes, 32 * loadSectors),
              0,
            ) / target.memoryBandwidth,
        };
        for (const [name, seconds] of Object.entries(roofs))
          assert.ok(low >= seconds * 1e6, `${profile.kernel} on ${target.id}: ${low} below the roof of ${name}`);
        assert.ok(low <= microseconds && microseconds <= high, `${profile.kernel}: ${low} ${microseconds} ${high}`);
        assert.ok(resources!.every((r, i) => i === 0 || r.microseconds <= resources![i - 1]!.microseconds));
        for (const r of launchTime(one, target, defaultConstants).resources)
          assert.ok(
            r.least <= r.seconds * 1.0001,
            `${profile.kernel}, ${r.name}: certain ${r.least}, all ${r.seconds}`,
          );
      }
    });
  });

  it('a faster memory, a higher clock or a lower latency never makes a kernel slower', () => {
    const h100 = gpuTarget('h100');
    const better: GpuTarget[] = [
      { ...h100, memoryBandwidth: 2 * h100.memoryBandwidth },
      { ...h100, clockHz: 1.5 * h100.clockHz },
      { ...h100, l2Bytes: 4 * h100.l2Bytes },
      { ...h100, l1BytesPerClock: 256 },
      { ...h100, latency: { ...h100.latency, memory: 300 } },
    ];
    for (const one of everything)
      for (const target of better)
        assert.ok(time(one, target).microseconds <= 1.0001 * time(one, h100).microseconds, one.profile.kernel);
  });

  it('adds launches up, takes none for nothing, and refuses blocks that do not fit', () => {
    const h100 = gpuTarget('h100');
    const [a, b] = [time(copy, h100), time(tiled, h100)];
    const both = modelTime([copy, tiled], h100);
    assert.ok(Math.abs(both.microseconds - a.microseconds - b.microseconds) < 1e-6);
    assert.equal(modelTime([], h100).microseconds, 0);
    const huge = { ...copy, demand: { ...copy.demand, sharedBytes: 2 ** 20 } };
    assert.throws(() => time(huge, h100), /does not fit on NVIDIA H100.*limited by shared memory/);
  });

  it('tells a profile in words, with the line to look at', () => {
    const say = (one: ModelledLaunch): string => profileInWords(one.profile as LaunchProfile).join('\n');
    assert.match(say(strided), /Coalescing: the lanes use 22 % of the bytes.*worst at line 5, /);
    assert.match(say(plain), /bank conflicts, 32-way at worst \(line \d+\)/);
    assert.match(say(hot), /Atomics: 1,048,576 updates of global memory, the most updated address 1,048,576 times/);
    assert.match(say(uneven), /Barriers: \d+ % of the time between them is spent waiting for the slowest warp/);
    assert.match(say(copy), /134.2 MB of it is distinct\.\nCounted in 6 of 65,536 blocks and scaled\.$/);
    assert.doesNotMatch(say(copy), /Coalescing|Atomics|Barriers|Shared|Divergence/);
  });
});

describe('targets', () => {
  it('have a source for every kind of number, and peaks that fit their units', () => {
    for (const target of gpuTargets) {
      for (const [kind, text] of Object.entries(target.sources)) assert.ok(text.length > 10, `${target.id}: ${kind}`);
      const implied = target.sms * target.lanesPerClock.fp32 * 2 * target.clockHz;
      assert.ok(
        Math.abs(implied / target.flops.fp32 - 1) < 0.05,
        `${target.id}: fp32 ${implied} against ${target.flops.fp32}`,
      );
      const double = target.sms * target.lanesPerClock.fp64 * 2 * target.clockHz;
      assert.ok(
        Math.abs(double / target.flops.fp64 - 1) < 0.07,
        `${target.id}: fp64 ${double} against ${target.flops.fp64}`,
      );
      assert.ok(target.l1Bytes >= target.sharedBytesPerSm && target.l2Bandwidth > target.memoryBandwidth);
    }
    assert.equal(new Set(gpuTargets.map(({ id }) => id)).size, gpuTargets.length);
  });

  it('a block of 1024 threads with 64 registers fills the registers of an SM', () => {
    const fit = occupancy({ threads: 1024, registers: 64, sharedBytes: 0 }, gpuTarget('t4'));
    assert.deepEqual(fit, { blocksPerSm: 1, fraction: 1, limitedBy: 'threads' });
  });
});
