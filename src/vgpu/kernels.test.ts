/** Kernels as people write them, compiled by nvcc, against plain float arithmetic. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, f32Of, i32Of, skipWithoutNvcc } from './nvcc-testing.ts';

const SOURCE = `
__global__ void saxpy(int n, float a, const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
#define T 16
__global__ void matmul(const float* A, const float* B, float* C, int n) {
  __shared__ float As[T][T], Bs[T][T];
  int row = blockIdx.y * T + threadIdx.y, col = blockIdx.x * T + threadIdx.x;
  float sum = 0;
  for (int t = 0; t < n / T; t++) {
    As[threadIdx.y][threadIdx.x] = A[row * n + t * T + threadIdx.x];
    Bs[threadIdx.y][threadIdx.x] = B[(t * T + threadIdx.y) * n + col];
    __syncthreads();
    for (int k = 0; k < T; k++) sum += As[threadIdx.y][k] * Bs[k][threadIdx.x];
    __syncthreads();
  }
  C[row * n + col] = sum;
}
__global__ void blockSum(const float* x, float* out, int n) {
  __shared__ float partial[32];
  float v = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += x[i];
  for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x < 32) {
    v = threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0;
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffff, v, d);
    if (threadIdx.x == 0) atomicAdd(out, v);
  }
}
__global__ void softmax(const float* x, float* y, int columns) {
  extern __shared__ float s[];
  const float* row = x + (size_t)blockIdx.x * columns;
  float m = -INFINITY;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) m = fmaxf(m, row[i]);
  s[threadIdx.x] = m;
  __syncthreads();
  for (int d = blockDim.x / 2; d > 0; d /= 2) {
    if (threadIdx.x < d) s[threadIdx.x] = fmaxf(s[threadIdx.x], s[threadIdx.x + d]);
    __syncthreads();
  }
  m = s[0];
  __syncthreads();
  float sum = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += expf(row[i] - m);
  s[threadIdx.x] = sum;
  __syncthreads();
  for (int d = blockDim.x / 2; d > 0; d /= 2) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    __syncthreads();
  }
  for (int i = threadIdx.x; i < columns; i += blockDim.x) y[(size_t)blockIdx.x * columns + i] = expf(row[i] - m) / s[0];
}
__global__ void collatz(const int* start, int* steps, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  long long v = start[i];
  int count = 0;
  while (v != 1) { v = v % 2 ? 3 * v + 1 : v / 2; count++; }
  steps[i] = count;
}
__global__ void spinLock(int* lock, int* counter) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      *(volatile int*)counter = *(volatile int*)counter + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}
__global__ void gridBarrier(int* arrived, const int* in, int* out) {
  int i = blockIdx.x;
  out[i] = in[i] * 2;
  __threadfence();
  atomicAdd(arrived, 1);
  while (*(volatile int*)arrived < (int)gridDim.x) {}
  __threadfence();
  out[gridDim.x + i] = out[(i + 1) % gridDim.x];
}
__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
__device__ int twice(int x) { return 2 * x; }
__device__ int negate_(int x) { return -x; }
__device__ int (*operations[2])(int) = { twice, negate_ };
__global__ void calls(int* out) { out[threadIdx.x] = operations[threadIdx.x % 2](fibonacci(threadIdx.x % 10)); }
__global__ void bitwise(const unsigned* in, unsigned* out) {
  unsigned x = in[threadIdx.x];
  unsigned y = __popc(x) + __clz(x) * 100 + __ffs(x) * 10000;
  unsigned long long w = ((unsigned long long)x << 20) * 12345u / (x | 1);
  out[threadIdx.x] = y ^ __brev(x) ^ __byte_perm(x, y, 0x3715) ^ (unsigned)(w >> 7) ^ __umulhi(x, y);
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE) : '';
// Names are mangled: find the entry by its plain name.
const entry = (name: string): string => new RegExp(`\\.entry (\\w*\\d${name}\\w*)\\(`).exec(ptx)?.[1] ?? name;

function upload(gpu: VirtualGpu, array: Float32Array | Int32Array | Uint32Array, name: string): bigint {
  const pointer = gpu.allocate(array.byteLength, { name });
  gpu.write(pointer, bytesOf(array));
  return pointer;
}

describe('kernels compiled by nvcc', { skip: skipWithoutNvcc() }, () => {
  const gpu = new VirtualGpu();
  const module = gpu.load(ptx, { name: 'kernels' });

  it('saxpy, with a partial last block', () => {
    const n = 1000;
    const x = Float32Array.from({ length: n }, (_, i) => Math.sin(i));
    const y = Float32Array.from({ length: n }, (_, i) => i / 7);
    const px = upload(gpu, x, 'x');
    const py = upload(gpu, y, 'y');
    const report = gpu.launch(module, entry('saxpy'), {
      executor: 'interpreter',
      races: true,
      grid: [4, 1, 1],
      block: [256, 1, 1],
      arguments: [arg.i32(n), arg.f32(2.5), arg.pointer(px), arg.pointer(py)],
    });
    assert.deepEqual(report.findings, []);
    assert.equal(report.completed, true);
    const result = f32Of(gpu.read(py, n * 4));
    // A product of two f32 is exact in f64, so one rounding is fma up to double rounding, which these values do not meet.
    for (let i = 0; i < n; i++) assert.equal(result[i], Math.fround(2.5 * x[i]! + y[i]!));
  });

  it('matmul through shared tiles', () => {
    const n = 64;
    const a = Float32Array.from({ length: n * n }, (_, i) => ((i * 7) % 13) - 6);
    const b = Float32Array.from({ length: n * n }, (_, i) => ((i * 5) % 11) - 5);
    const [pa, pb] = [upload(gpu, a, 'A'), upload(gpu, b, 'B')];
    const pc = gpu.allocate(n * n * 4, { name: 'C' });
    const report = gpu.launch(module, entry('matmul'), {
      executor: 'interpreter',
      races: true,
      grid: [4, 4, 1],
      block: [16, 16, 1],
      arguments: [arg.pointer(pa), arg.pointer(pb), arg.pointer(pc), arg.i32(n)],
      profile: true,
    });
    assert.deepEqual(report.findings, []);
    const c = f32Of(gpu.read(pc, n * n * 4));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += a[i * n + k]! * b[k * n + j]!;
        assert.equal(c[i * n + j], sum);
      }
    }
    assert.ok(gpu.written(pc, n * n * 4).every((byte) => byte === 1));
    const profile = report.profile!;
    // 16 blocks x 8 warps x 4 tiles x 2 loads; each warp reads two rows of 64 bytes.
    assert.equal(profile.global.loadRequests, 16 * 8 * 4 * 2);
    assert.equal(profile.global.loadSectors, 16 * 8 * 4 * 2 * 4);
    assert.equal(profile.global.storeSectors, (n * n * 4) / 32);
    assert.equal(profile.global.uniqueBytes, 3 * n * n * 4);
    assert.equal(profile.shared.bankConflictCycles, 0);
  });

  it('a reduction by shuffles', () => {
    const n = 5000;
    const x = Float32Array.from({ length: n }, (_, i) => (i % 17) - 8);
    const px = upload(gpu, x, 'x');
    const out = upload(gpu, new Float32Array(1), 'out');
    const report = gpu.launch(module, entry('blockSum'), {
      executor: 'interpreter',
      races: true,
      grid: [5, 1, 1],
      block: [256, 1, 1],
      arguments: [arg.pointer(px), arg.pointer(out), arg.i32(n)],
    });
    assert.deepEqual(report.findings, []);
    assert.equal(
      f32Of(gpu.read(out, 4))[0],
      x.reduce((s, v) => s + v, 0),
    );
  });

  it('softmax of rows', () => {
    const [rows, columns] = [6, 300];
    const x = Float32Array.from({ length: rows * columns }, (_, i) => 4 * Math.sin(i * 1.7));
    const px = upload(gpu, x, 'x');
    const py = gpu.allocate(rows * columns * 4, { name: 'y' });
    const report = gpu.launch(module, entry('softmax'), {
      executor: 'interpreter',
      races: true,
      grid: [rows, 1, 1],
      block: [128, 1, 1],
      dynamicSharedBytes: 128 * 4,
      arguments: [arg.pointer(px), arg.pointer(py), arg.i32(columns)],
    });
    assert.deepEqual(report.findings, []);
    const y = f32Of(gpu.read(py, rows * columns * 4));
    for (let r = 0; r < rows; r++) {
      const row = [...x.subarray(r * columns, (r + 1) * columns)];
      const m = Math.max(...row);
      const sum = row.reduce((s, v) => s + Math.exp(v - m), 0);
      for (let c = 0; c < columns; c++) {
        const expected = Math.exp(row[c]! - m) / sum;
        assert.ok(Math.abs(y[r * columns + c]! - expected) <= 2e-6 * expected);
      }
    }
  });

  it('divergent loops', () => {
    const n = 100;
    const start = Int32Array.from({ length: n }, (_, i) => i + 1);
    const [ps, pt] = [upload(gpu, start, 'start'), gpu.allocate(n * 4, { name: 'steps' })];
    const report = gpu.launch(module, entry('collatz'), {
      executor: 'interpreter',
      races: true,
      grid: [1, 1, 1],
      block: [128, 1, 1],
      arguments: [arg.pointer(ps), arg.pointer(pt), arg.i32(n)],
    });
    assert.deepEqual(report.findings, []);
    const expected = [...start].map((value) => {
      let count = 0;
      for (let v = value; v !== 1; count++) v = v % 2 === 1 ? 3 * v + 1 : v / 2;
      return count;
    });
    assert.deepEqual([...i32Of(gpu.read(pt, n * 4))], expected);
  });

  for (const schedule of [0, 1, 77]) {
    it(`a spin lock among all threads of two blocks, schedule ${schedule}`, () => {
      const lock = upload(gpu, new Int32Array(1), 'lock');
      const counter = upload(gpu, new Int32Array(1), 'counter');
      const report = gpu.launch(module, entry('spinLock'), {
        executor: 'interpreter',
        races: true,
        grid: [2, 1, 1],
        block: [64, 1, 1],
        arguments: [arg.pointer(lock), arg.pointer(counter)],
        schedule,
      });
      assert.deepEqual(report.findings, []);
      assert.equal(i32Of(gpu.read(counter, 4))[0], 128);
    });
  }

  it('a barrier over the whole grid by spinning on memory', () => {
    const blocks = 40;
    const arrived = upload(gpu, new Int32Array(1), 'arrived');
    const input = upload(
      gpu,
      Int32Array.from({ length: blocks }, (_, i) => i),
      'in',
    );
    const out = gpu.allocate(blocks * 8, { name: 'out' });
    const report = gpu.launch(module, entry('gridBarrier'), {
      executor: 'interpreter',
      races: true,
      grid: [blocks, 1, 1],
      block: [1, 1, 1],
      arguments: [arg.pointer(arrived), arg.pointer(input), arg.pointer(out)],
    });
    assert.deepEqual(report.findings, []);
    const result = i32Of(gpu.read(out, blocks * 8));
    for (let i = 0; i < blocks; i++) assert.equal(result[blocks + i], 2 * ((i + 1) % blocks));
  });

  it('recursion and calls through pointers', () => {
    const out = gpu.allocate(64 * 4, { name: 'out' });
    const report = gpu.launch(module, entry('calls'), {
      executor: 'interpreter',
      races: true,
      grid: [1, 1, 1],
      block: [64, 1, 1],
      arguments: [arg.pointer(out)],
    });
    assert.deepEqual(report.findings, []);
    const fibonacci = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34];
    const expected = Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? 2 : -1) * fibonacci[i % 10]! + 0);
    assert.deepEqual(
      [...i32Of(gpu.read(out, 64 * 4))],
      expected.map((v) => v | 0),
    );
  });

  it('bit operations and 64-bit division', () => {
    const input = Uint32Array.from({ length: 32 }, (_, i) => Math.imul(i + 1, 0x9e37_79b9) >>> (i % 9));
    const [pi, po] = [upload(gpu, input, 'in'), gpu.allocate(128, { name: 'out' })];
    const report = gpu.launch(module, entry('bitwise'), {
      executor: 'interpreter',
      races: true,
      grid: [1, 1, 1],
      block: [32, 1, 1],
      arguments: [arg.pointer(pi), arg.pointer(po)],
    });
    assert.deepEqual(report.findings, []);
    const result = new Uint32Array(gpu.read(po, 128).slice().buffer);
    const bits = (x: number): string => x.toString(2).padStart(32, '0');
    for (const [i, x] of input.entries()) {
      const popc = bits(x).replaceAll('0', '').length;
      const y = (popc + Math.clz32(x) * 100 + (x === 0 ? 0 : 32 - bits(x).lastIndexOf('1')) * 10000) >>> 0;
      // In CUDA the product is 64 bits wide and wraps.
      const w = BigInt.asUintN(64, (BigInt(x) << 20n) * 12345n) / BigInt((x | 1) >>> 0);
      const bytes = [0, 8, 16, 24].map((s) => (x >>> s) & 255).concat([0, 8, 16, 24].map((s) => (y >>> s) & 255));
      const permuted = bytes[5]! | (bytes[1]! << 8) | (bytes[7]! << 16) | (bytes[3]! << 24);
      const reversed = Number.parseInt([...bits(x)].reverse().join(''), 2);
      const high = Number((BigInt(x) * BigInt(y)) >> 32n);
      const expected = (y ^ reversed ^ permuted ^ Number(BigInt.asUintN(32, w >> 7n)) ^ high) >>> 0;
      assert.equal(result[i], expected, `lane ${i}`);
    }
  });
});
