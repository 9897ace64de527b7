/** The wider instruction set, as CUDA's own intrinsics use it: half precision, tensor cores, atomics, votes, async copies. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { f16ToNumber, numberToF16 } from './math/index.ts';
import { arg, bytesOf, compileCuda, f32Of, i32Of, skipWithoutNvcc } from './nvcc-testing.ts';

const SOURCE = `
#include <cuda_fp16.h>
#include <cuda_bf16.h>
#include <mma.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;
using namespace nvcuda;
extern "C" {
__global__ void halves(const __half2* x, __half2* y) {
  int t = threadIdx.x; y[t] = __hfma2(x[t], x[t], __float2half2_rn(1.0f));
}
__global__ void wmmaProduct(const __half* a, const __half* b, float* c) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
  wmma::fill_fragment(fc, 0.5f);
  wmma::load_matrix_sync(fa, a, 16); wmma::load_matrix_sync(fb, b, 16);
  wmma::mma_sync(fc, fa, fb, fc);
  wmma::store_matrix_sync(c, fc, 16, wmma::mem_row_major);
}
__global__ void mmaProduct(const __half* a, const __half* b, float* c) {
  __shared__ __align__(16) __half sa[16 * 16], sb[16 * 8];
  int t = threadIdx.x;
  for (int i = t; i < 256; i += 32) sa[i] = a[i];
  for (int i = t; i < 128; i += 32) sb[i] = b[i];
  __syncwarp();
  unsigned ra[4], rb[2]; float d[4];
  unsigned pa = __cvta_generic_to_shared(&sa[(t % 16) * 16 + (t / 16) * 8]);
  unsigned pb = __cvta_generic_to_shared(&sb[(t % 16) * 8]);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(ra[0]), "=r"(ra[1]), "=r"(ra[2]), "=r"(ra[3]) : "r"(pa));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(rb[0]), "=r"(rb[1]) : "r"(pb));
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
    : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3]) : "r"(ra[0]), "r"(ra[1]), "r"(ra[2]), "r"(ra[3]), "r"(rb[0]), "r"(rb[1]), "f"(0.0f));
  int row = t / 4, column = (t % 4) * 2;
  c[row * 8 + column] = d[0]; c[row * 8 + column + 1] = d[1];
  c[(row + 8) * 8 + column] = d[2]; c[(row + 8) * 8 + column + 1] = d[3];
}
__global__ void atomics(int* i, unsigned long long* l, float* f, double* d, __half2* h) {
  int t = threadIdx.x;
  atomicAdd(i, t); atomicMax(i + 1, t * 7 % 32); atomicMin(i + 2, -t); atomicInc((unsigned*)i + 3, 9);
  atomicXor(i + 4, 1 << t); atomicExch(i + 5, 42); atomicSub(i + 6, 1); atomicAnd(i + 7, ~(1 << t));
  atomicAdd(l, (unsigned long long)t << 33); atomicMax(l + 1, (unsigned long long)t << 40);
  atomicAdd(f, 0.5f); atomicAdd(d, 0.25); atomicAdd(h, __floats2half2_rn(1.0f, 2.0f));
  unsigned short* s = (unsigned short*)(i + 8); unsigned short old = 0, seen;
  do { seen = old; old = atomicCAS(s, seen, (unsigned short)(seen + 3)); } while (old != seen);
}
__global__ void votes(int* out) {
  int t = threadIdx.x, k = 0; int* o = out + t * 8;
  o[k++] = __ballot_sync(~0u, t % 3 == 0); o[k++] = __any_sync(~0u, t == 40); o[k++] = __all_sync(~0u, t < 32);
  o[k++] = __match_any_sync(~0u, t % 5); int p; o[k++] = __match_all_sync(~0u, 7, &p) + p;
  o[k++] = __reduce_add_sync(~0u, t); o[k++] = __reduce_max_sync(0xffffu << (t & 16), t);
  o[k++] = __shfl_up_sync(~0u, t, 3, 8);
}
__global__ void barriers(int* out) {
  int t = threadIdx.x;
  out[t] = __syncthreads_count(t % 3 == 0); out[64 + t] = __syncthreads_and(t < 64); out[128 + t] = __syncthreads_or(t == 70);
  if (t < 32) { asm volatile("bar.arrive 3, 64;"); } else { asm volatile("bar.sync 3, 64;"); }
}
__global__ void groups(const float* x, float* out) {
  auto block = cg::this_thread_block(); auto tile = cg::tiled_partition<8>(block);
  float v = cg::reduce(tile, x[block.thread_rank()], cg::plus<float>());
  if (tile.thread_rank() == 0) out[block.thread_rank() / 8] = v;
  auto active = cg::coalesced_threads(); if (active.thread_rank() == 0) out[8] = active.size();
}
__global__ void gridSync(int* data) {
  auto grid = cg::this_grid(); int t = grid.thread_rank(), n = grid.num_threads();
  data[t] = t; grid.sync(); int v = data[(t + 40) % n]; grid.sync(); data[t] = v * 2; grid.sync(); if (t == 0) data[n] = data[n - 1];
}
__global__ void wide(const long long* a, const long long* b, long long* out) {
  __int128 p = (__int128)a[threadIdx.x] * b[threadIdx.x] + a[0]; out[2 * threadIdx.x] = (long long)p; out[2 * threadIdx.x + 1] = (long long)(p >> 64);
}
__global__ void sines(const float* x, float* out) { out[threadIdx.x] = sinf(x[threadIdx.x]) + logf(fabsf(x[threadIdx.x])) + (float)exp((double)x[threadIdx.x] * 1e-3); }
__global__ void switches(const int* x, int* out) {
  int r; switch (x[threadIdx.x]) { case 0: r = 5; break; case 1: r = x[31] * 3; break; case 2: r = 1 << x[4]; break; case 3: r = -x[7]; break; case 4: r = x[9] ^ 77; break;
    case 5: r = x[1] - 9; break; case 6: r = x[3] * x[5]; break; case 7: r = 123; break; default: r = -1; } out[threadIdx.x] = r;
}
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE) : '';

function run(kernel: string, threads: number, buffers: readonly (Uint8Array | number)[], blocks = 1): Uint8Array[] {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(ptx, { name: 'features' });
  const pointers = buffers.map((buffer, i) => {
    const bytes = typeof buffer === 'number' ? buffer : buffer.length;
    const pointer = gpu.allocate(bytes, { name: `buffer ${i}` });
    if (typeof buffer !== 'number') gpu.write(pointer, buffer);
    return { pointer, bytes };
  });
  const report = gpu.launch(module, kernel, {
    executor: 'interpreter',
    grid: [blocks, 1, 1],
    block: [threads, 1, 1],
    arguments: pointers.map(({ pointer }) => arg.pointer(pointer)),
    instructionBudget: 1e7,
  });
  assert.deepEqual(report.findings, []);
  assert.equal(report.completed, true);
  return pointers.map(({ pointer, bytes }) => gpu.read(pointer, bytes));
}

const halves = (count: number, f: (i: number) => number): Uint16Array =>
  Uint16Array.from({ length: count }, (_, i) => numberToF16(f(i)));

describe('the wider instruction set', { skip: skipWithoutNvcc() }, () => {
  it('packed half arithmetic', () => {
    const x = halves(64, (i) => (i - 30) / 8);
    const y = new Uint16Array(run('halves', 32, [bytesOf(x), 128])[1]!.slice().buffer);
    for (const [i, bits] of x.entries()) assert.equal(y[i], numberToF16(f16ToNumber(bits) ** 2 + 1));
  });

  it('wmma', () => {
    const a = halves(256, (i) => ((i * 7) % 11) - 5);
    const b = halves(256, (i) => ((i * 3) % 13) - 6);
    const c = f32Of(run('wmmaProduct', 32, [bytesOf(a), bytesOf(b), 1024])[2]!);
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j++) {
        let sum = 0.5;
        for (let k = 0; k < 16; k++) sum += f16ToNumber(a[i * 16 + k]!) * f16ToNumber(b[j * 16 + k]!);
        assert.equal(c[i * 16 + j], sum);
      }
    }
  });

  it('ldmatrix and mma.sync', () => {
    const a = halves(256, (i) => ((i * 5) % 9) - 4);
    const b = halves(128, (i) => ((i * 11) % 7) - 3);
    const c = f32Of(run('mmaProduct', 32, [bytesOf(a), bytesOf(b), 512])[2]!);
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 8; j++) {
        let sum = 0;
        for (let k = 0; k < 16; k++) sum += f16ToNumber(a[i * 16 + k]!) * f16ToNumber(b[k * 8 + j]!);
        assert.equal(c[i * 8 + j], sum);
      }
    }
  });

  it('atomics of every kind', () => {
    const ints = new Int32Array(9);
    ints[7] = -1;
    const [i, l, f, d, h] = run('atomics', 32, [
      bytesOf(ints),
      new Uint8Array(16),
      new Uint8Array(4),
      new Uint8Array(8),
      new Uint8Array(4),
    ]);
    // 32 increments that wrap after 9: 32 mod 10.
    assert.deepEqual([...i32Of(i!)], [496, 31, -31, 2, -1, 42, -32, 0, 96]);
    const longs = new BigUint64Array(l!.slice().buffer);
    assert.deepEqual([...longs], [496n << 33n, 31n << 40n]);
    assert.equal(f32Of(f!)[0], 16);
    assert.equal(new Float64Array(d!.slice().buffer)[0], 8);
    assert.deepEqual([...new Uint16Array(h!.slice().buffer)].map(f16ToNumber), [32, 64]);
  });

  it('votes, matches, reductions and shuffles in segments', () => {
    const out = i32Of(run('votes', 32, [1024])[0]!);
    for (let t = 0; t < 32; t++) {
      const mask = (f: (l: number) => boolean): number => {
        let bits = 0;
        for (let l = 0; l < 32; l++) if (f(l)) bits |= 1 << l;
        return bits;
      };
      const expected = [
        mask((l) => l % 3 === 0),
        0,
        1,
        mask((l) => l % 5 === t % 5),
        0,
        496,
        t < 16 ? 15 : 31,
        t % 8 < 3 ? t : t - 3,
      ];
      assert.deepEqual([...out.subarray(t * 8, t * 8 + 8)], expected, `lane ${t}`);
    }
  });

  it('barrier reductions, and arriving without waiting', () => {
    const out = i32Of(run('barriers', 64, [192 * 4])[0]!);
    assert.ok(out.subarray(0, 64).every((v) => v === 22));
    assert.ok(out.subarray(64, 128).every((v) => v !== 0));
    assert.ok(out.subarray(128, 192).every((v) => v === 0));
  });

  it('cooperative groups', () => {
    const x = Float32Array.from({ length: 64 }, (_, i) => i);
    const out = f32Of(run('groups', 64, [bytesOf(x), 36])[1]!);
    for (let g = 0; g < 8; g++) assert.equal(out[g], 8 * (8 * g) + 28);
    assert.equal(out[8], 32);
  });

  it('synchronisation of the whole grid', () => {
    const n = 20 * 40;
    const data = i32Of(run('gridSync', 40, [(n + 1) * 4], 20)[0]!);
    for (let t = 0; t < n; t++) assert.equal(data[t], 2 * ((t + 40) % n));
    assert.equal(data[n], 2 * 39);
  });

  it('128-bit products by carry chains', () => {
    const a = BigInt64Array.from({ length: 8 }, (_, i) => BigInt(i - 4) * 0x7654_3210_fedc_ba98n + 77n);
    const b = BigInt64Array.from({ length: 8 }, (_, i) => BigInt(3 - i) * 0x1234_5678_9abc_def1n - 5n);
    const bytes = (x: BigInt64Array): Uint8Array => new Uint8Array(x.buffer);
    const out = new BigInt64Array(run('wide', 8, [bytes(a), bytes(b), 128])[2]!.slice().buffer);
    for (let t = 0; t < 8; t++) {
      const product = a[t]! * b[t]! + a[0]!;
      assert.equal(out[2 * t], BigInt.asIntN(64, product));
      assert.equal(out[2 * t + 1], BigInt.asIntN(64, product >> 64n));
    }
  });

  it('the math library, with its slow path through local memory', () => {
    const x = Float32Array.from({ length: 64 }, (_, i) => (i - 31.5) * (i % 4 === 0 ? 1e6 : 1.3));
    const out = f32Of(run('sines', 64, [bytesOf(x), 256])[1]!);
    for (const [i, v] of x.entries()) {
      const expected = Math.sin(v) + Math.log(Math.abs(v)) + Math.exp(v * 1e-3);
      if (!Number.isFinite(Math.fround(expected))) continue;
      assert.ok(
        Math.abs(out[i]! - expected) <= 1e-6 * Math.max(1, Math.abs(expected)) * 4,
        `sin of ${v}: ${out[i]} ${expected}`,
      );
    }
  });

  it('branch tables', () => {
    const x = Int32Array.from({ length: 32 }, (_, i) => (i * 3) % 10);
    const out = i32Of(run('switches', 32, [bytesOf(x), 128])[1]!);
    const cases = [5, x[31]! * 3, 1 << x[4]!, -x[7]!, x[9]! ^ 77, x[1]! - 9, x[3]! * x[5]!, 123];
    assert.deepEqual(
      [...out],
      [...x].map((v) => cases[v] ?? -1),
    );
  });
});
