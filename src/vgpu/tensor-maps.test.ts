/** Tensor copies: boxes of one to five dimensions against plain loops, swizzles, borders, stores, reductions, misuse. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, f32Of, i32Of, skipWithoutNvcc } from './nvcc-testing.ts';
import type { SwizzleMode, TensorMapDescription } from './tensor-maps.ts';
import type { Finding, LaunchReport } from './types.ts';

const SOURCE = `
#include <cuda.h>
__device__ unsigned sh(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void init(unsigned long long* b) { asm volatile("mbarrier.init.shared::cta.b64 [%0], 1; fence.mbarrier_init.release.cluster;" :: "r"(sh(b)) : "memory"); }
__device__ void expect(unsigned long long* b, int bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(sh(b)), "r"(bytes) : "memory"); }
__device__ void waitFor(unsigned long long* b) {
  asm volatile("{.reg .pred p; again: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%0], 0; @p bra done; bra again; done: }" :: "r"(sh(b)) : "memory");
}
#define TILE extern __shared__ __align__(1024) int s[]; __shared__ unsigned long long bar; int t = threadIdx.x; if (t == 0) init(&bar); __syncthreads();
#define OUT for (int i = t; i < words; i += blockDim.x) y[i] = s[i];
#define LOAD(DIMS, COORDS) "cp.async.bulk.tensor." DIMS ".shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, " COORDS "], [%2];"
#define MAP const __grid_constant__ CUtensorMap map
struct Corner { int c[5]; };
extern "C" {
__global__ void load1(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { asm volatile("prefetch.tensormap [%0];" :: "l"(&map) : "memory"); expect(&bar, 4 * words);
    asm volatile(LOAD("1d", "{%3}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]) : "memory"); } waitFor(&bar); OUT }
__global__ void load2(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("2d", "{%3, %4}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]) : "memory"); } waitFor(&bar); OUT }
__global__ void load3(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("3d", "{%3, %4, %5}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]), "r"(a.c[2]) : "memory"); } waitFor(&bar); OUT }
__global__ void load4(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("4d", "{%3, %4, %5, %6}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]), "r"(a.c[2]), "r"(a.c[3]) : "memory"); } waitFor(&bar); OUT }
__global__ void load5(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("5d", "{%3, %4, %5, %6, %7}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]), "r"(a.c[2]), "r"(a.c[3]), "r"(a.c[4]) : "memory"); } waitFor(&bar); OUT }
__global__ void tooEarly(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("2d", "{%3, %4}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]) : "memory"); } __syncthreads(); OUT waitFor(&bar); }
__global__ void noExpect(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { asm volatile(LOAD("2d", "{%3, %4}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]) : "memory"); } waitFor(&bar); OUT }
__global__ void offTheLine(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("2d", "{%3, %4}") :: "r"(sh(s + 4)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]) : "memory"); } waitFor(&bar); OUT }
__global__ void wrongRank(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("1d", "{%3}") :: "r"(sh(s)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]) : "memory"); } waitFor(&bar); OUT }
__global__ void mapInGlobal(const CUtensorMap* map, int* y, int words, Corner a) { TILE
  if (t == 0) { expect(&bar, 4 * words); asm volatile(LOAD("2d", "{%3, %4}") :: "r"(sh(s)), "l"(map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1]) : "memory"); } waitFor(&bar); OUT }
// The other way: a tile of consecutive numbers.
#define FILL extern __shared__ __align__(1024) int s[]; int t = threadIdx.x; for (int i = t; i < words; i += blockDim.x) ((float*)s)[i] = i + 1;
#define DONE asm volatile("cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;" ::: "memory");
__global__ void store2(MAP, int words, Corner a) { FILL asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); __syncthreads();
  if (t == 0) { asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" :: "l"(&map), "r"(a.c[0]), "r"(a.c[1]), "r"(sh(s)) : "memory"); DONE } }
__global__ void storeUnfenced(MAP, int words, Corner a) { FILL __syncthreads();
  if (t == 0) { asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" :: "l"(&map), "r"(a.c[0]), "r"(a.c[1]), "r"(sh(s)) : "memory"); DONE } }
__global__ void storeLeft(MAP, int words, Corner a) { FILL asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); __syncthreads();
  if (t == 0) asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3]; cp.async.bulk.commit_group;" :: "l"(&map), "r"(a.c[0]), "r"(a.c[1]), "r"(sh(s)) : "memory"); }
__global__ void add2(MAP, int words, Corner a) { FILL asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); __syncthreads();
  if (t == 0) { asm volatile("cp.async.bulk.prefetch.tensor.2d.L2.global.tile [%0, {%1, %2}];" :: "l"(&map), "r"(a.c[0]), "r"(a.c[1]) : "memory");
    asm volatile("cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2}], [%3];" :: "l"(&map), "r"(a.c[0]), "r"(a.c[1]), "r"(sh(s)) : "memory"); DONE } }
__global__ void addLinear(float* y, int words) { FILL asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); __syncthreads();
  if (t == 0) { asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" :: "l"(y), "r"(sh(s)), "r"(4 * words) : "memory"); DONE } }
// The pieces of a tile that one block loads for a cluster of two.
__global__ void __cluster_dims__(2, 1, 1) shareTile(MAP, int* y, int words, Corner a) { TILE
  if (t == 0) expect(&bar, 4 * words);
  asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
  unsigned r; asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
  if (t == 0) { int half = words / 2; asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;"
    :: "r"(sh(s + r * half)), "l"(&map), "r"(sh(&bar)), "r"(a.c[0]), "r"(a.c[1] + 8 * r), "h"((short)3) : "memory"); }
  waitFor(&bar);
  for (int i = t; i < words; i += blockDim.x) y[words * r + i] = s[i];
  asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE, ['-arch=sm_90a', '-std=c++17']) : '';

function corner(at: readonly number[]): Uint8Array {
  return bytesOf(Int32Array.from({ length: 5 }, (_, axis) => at[axis] ?? 0));
}

/** A GPU with a tensor of consecutive 32-bit numbers, 1 first. */
function bench(dims: readonly number[], options: Partial<TensorMapDescription> = {}) {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(ptx);
  const strides = dims.slice(0, -1).map((_, axis) => 4 * dims.slice(0, axis + 1).reduce((a, b) => a * b, 1));
  const elements = dims.reduce((a, b) => a * b, 1);
  const x = gpu.allocate(4 * elements, { name: 'x' });
  gpu.write(x, bytesOf(Float32Array.from({ length: elements }, (_, i) => i + 1)));
  const map = gpu.createTensorMap({ pointer: x, type: 'float32', dims, strides, box: dims, ...options });
  const y = gpu.allocate(1 << 16, { name: 'y' });
  return { gpu, module, x, y, map };
}

function messages(findings: readonly Finding[]): string[] {
  return findings.map(({ kind, message }) => `${kind}: ${message}`);
}

/** Where a piece of 16 bytes of a row of `span` bytes is found: from the figures of the swizzles, not from the code. */
function pieceOf(piece: number, mode: SwizzleMode): number {
  const row = piece >> 3;
  switch (mode) {
    case '128B':
      return (piece & ~7) | ((piece & 7) ^ (row & 7));
    case '64B':
      return (piece & ~3) | ((piece & 3) ^ (row & 3));
    case '32B':
      return (piece & ~1) | ((piece & 1) ^ (row & 1));
    default:
      return piece;
  }
}

describe('tensor copies', { skip: skipWithoutNvcc() }, () => {
  const cases: readonly [dims: number[], box: number[], at: number[], steps?: number[]][] = [
    [[100], [32], [40]],
    [[100], [32], [-5]],
    [[100], [32], [90]],
    [
      [64, 20],
      [16, 8],
      [8, 3],
    ],
    [
      [64, 20],
      [16, 8],
      [-3, -2],
    ],
    [
      [64, 20],
      [16, 8],
      [60, 17],
    ],
    [
      [64, 20],
      [16, 8],
      [64, 0],
    ],
    [
      [64, 40],
      [8, 9],
      [4, 2],
      [1, 3],
    ],
    [
      [16, 10, 6],
      [8, 3, 4],
      [2, 8, -1],
    ],
    [
      [8, 6, 5, 4],
      [4, 3, 2, 3],
      [5, 4, 4, 2],
    ],
    [
      [8, 3, 4, 3, 3],
      [4, 2, 3, 2, 2],
      [6, -1, 2, 2, 2],
    ],
  ];
  for (const [dims, box, at, elementStrides] of cases) {
    it(`of ${box.join('x')} at ${at.join(', ')} of ${dims.join('x')}${elementStrides ? ', every third' : ''}`, () => {
      const rank = dims.length;
      const { gpu, module, y, map } = bench(dims, { box, ...(elementStrides && { elementStrides }) });
      const steps = elementStrides ?? dims.map(() => 1);
      const counts = box.map((size, axis) => Math.ceil(size / steps[axis]!));
      const words = counts.reduce((a, b) => a * b, 1);
      const report = gpu.launch(module, `load${rank}`, {
        races: true,
        grid: [1, 1, 1],
        block: [32, 1, 1],
        dynamicSharedBytes: 4 * words,
        arguments: [map, arg.pointer(y), arg.i32(words), corner(at)],
        instructionBudget: 1e6,
      });
      assert.deepEqual(messages(report.findings), []);
      const got = f32Of(gpu.read(y, 4 * words));
      for (let i = 0; i < words; i++) {
        let rest = i;
        let linear = 0;
        let stride = 1;
        let inside = true;
        for (let axis = 0; axis < rank; axis++) {
          const position = at[axis]! + (rest % counts[axis]!) * steps[axis]!;
          rest = Math.floor(rest / counts[axis]!);
          if (position < 0 || position >= dims[axis]!) inside = false;
          linear += position * stride;
          stride *= dims[axis]!;
        }
        assert.equal(got[i], inside ? linear + 1 : 0, `element ${i}`);
      }
    });
  }
  for (const [swizzle, width] of [
    ['32B', 8],
    ['64B', 16],
    ['128B', 32],
  ] as const) {
    it(`swizzle rows of ${swizzle}, and store them back straight`, () => {
      const { gpu, module, y, x, map } = bench([64, 32], { box: [width, 16], swizzle });
      const words = 16 * width;
      const common = { races: true, grid: [1, 1, 1], block: [32, 1, 1], dynamicSharedBytes: 4 * words } as const;
      const loaded = gpu.launch(module, 'load2', {
        ...common,
        arguments: [map, arg.pointer(y), arg.i32(words), corner([4, 9])],
      });
      assert.deepEqual(messages(loaded.findings), []);
      const got = f32Of(gpu.read(y, 4 * words));
      for (let i = 0; i < words; i++) {
        const place = 4 * pieceOf(i >> 2, swizzle) + (i & 3);
        assert.equal(got[place], (9 + Math.floor(i / width)) * 64 + 4 + (i % width) + 1);
      }
      const stored = gpu.launch(module, 'store2', { ...common, arguments: [map, arg.i32(words), corner([4, 9])] });
      assert.deepEqual(messages(stored.findings), []);
      const tensor = f32Of(gpu.read(x, 4 * 64 * 32));
      for (let i = 0; i < words; i++) {
        const place = 4 * pieceOf(i >> 2, swizzle) + (i & 3);
        assert.equal(tensor[(9 + Math.floor(i / width)) * 64 + 4 + (i % width)], place + 1);
      }
    });
  }
  it('store and add only what is inside', () => {
    for (const kernel of ['store2', 'add2']) {
      const { gpu, module, x, map } = bench([16, 8], { box: [8, 4] });
      const report = gpu.launch(module, kernel, {
        races: true,
        grid: [1, 1, 1],
        block: [32, 1, 1],
        dynamicSharedBytes: 128,
        arguments: [map, arg.i32(32), corner([-2, 6])],
      });
      assert.deepEqual(messages(report.findings), []);
      const got = f32Of(gpu.read(x, 512));
      for (let i = 0; i < 128; i++) {
        const [column, row] = [(i % 16) + 2, (i >> 4) - 6];
        const inside = column < 8 && row >= 0;
        const old = i + 1;
        const tile = row * 8 + column + 1;
        assert.equal(got[i], !inside ? old : kernel === 'add2' ? old + tile : tile, `${kernel} ${i}`);
      }
    }
  });
  it('add rows of bytes', () => {
    const { gpu, module, y } = bench([16]);
    gpu.write(y, bytesOf(new Float32Array(64).fill(0.5)));
    const report = gpu.launch(module, 'addLinear', {
      grid: [1, 1, 1],
      block: [32, 1, 1],
      dynamicSharedBytes: 256,
      arguments: [arg.pointer(y), arg.i32(64)],
    });
    assert.deepEqual(messages(report.findings), []);
    assert.deepEqual(
      [...f32Of(gpu.read(y, 256))],
      Array.from({ length: 64 }, (_, i) => i + 1.5),
    );
  });
  it('are shared by a cluster', () => {
    const { gpu, module, y, map } = bench([32, 32], { box: [16, 8] });
    const report = gpu.launch(module, 'shareTile', {
      races: true,
      grid: [2, 1, 1],
      block: [32, 1, 1],
      dynamicSharedBytes: 1024,
      arguments: [map, arg.pointer(y), arg.i32(256), corner([3, 5])],
      instructionBudget: 1e6,
    });
    assert.deepEqual(messages(report.findings), []);
    const got = f32Of(gpu.read(y, 2048));
    for (let i = 0; i < 512; i++) assert.equal(got[i], (5 + ((i & 255) >> 4)) * 32 + 3 + (i & 15) + 1);
  });
  it('find tensor maps in global memory, when the launch names the tensor', () => {
    const { gpu, module, x, y, map } = bench([32, 32], { box: [16, 8] });
    const inMemory = gpu.allocate(128, { name: 'map' });
    gpu.write(inMemory, map);
    const go = (allocations: bigint[] | undefined): LaunchReport =>
      gpu.launch(module, 'mapInGlobal', {
        grid: [1, 1, 1],
        block: [32, 1, 1],
        dynamicSharedBytes: 512,
        arguments: [arg.pointer(inMemory), arg.pointer(y), arg.i32(128), corner([0, 0])],
        ...(allocations && { allocations }),
        instructionBudget: 1e6,
      });
    assert.deepEqual(messages(go([inMemory, x, y]).findings), []);
    assert.equal(i32Of(gpu.read(y, 4))[0], 0x3f80_0000);
    assert.match(go(undefined).findings[0]!.message, /x was not passed to this launch/);
    gpu.write(inMemory, new Uint8Array(128));
    assert.match(go([inMemory, x, y]).findings[0]!.message, /holds no tensor map/);
  });
});

describe('misuse of tensor copies', { skip: skipWithoutNvcc() }, () => {
  const go = (kernel: string, options: { free?: boolean; unwritten?: boolean } = {}): readonly Finding[] => {
    const { gpu, module, x, y, map } = bench([16, 8], { box: [8, 4] });
    if (options.free === true) gpu.free(x);
    if (options.unwritten === true) gpu.poison(x, 64);
    const tail = [arg.i32(32), corner([0, 0])];
    return gpu.launch(module, kernel, {
      races: true,
      grid: [1, 1, 1],
      block: [32, 1, 1],
      dynamicSharedBytes: 256,
      arguments: kernel.startsWith('store') ? [map, ...tail] : [map, arg.pointer(y), ...tail],
      instructionBudget: 300_000,
    }).findings;
  };
  const wanted = (findings: readonly Finding[], kind: string, words: RegExp): void => {
    const fits = findings.some((finding) => finding.kind === kind && words.test(finding.message));
    assert.ok(fits, messages(findings).join('; ') || 'nothing found');
  };
  it('finds a tile read before its barrier', () => wanted(go('tooEarly'), 'uninitialised-read', /in flight/));
  it('finds a barrier that was told to expect nothing', () => wanted(go('noExpect'), 'deadlock', /waits in a loop/));
  it('finds a box that is not aligned', () => wanted(go('offTheLine'), 'misaligned', /multiple of 128/));
  it('finds a copy of other dimensions', () =>
    wanted(go('wrongRank'), 'uninitialised-read', /of 1 dimensions through a tensor map of 2/));
  it('finds a store without a proxy fence', () => wanted(go('storeUnfenced'), 'race', /fence.proxy.async/));
  it('finds a store that is never waited for', () => wanted(go('storeLeft'), 'unfinished-async-copy', /./));
  it('finds a tensor that was freed', () => wanted(go('load2', { free: true }), 'use-after-free', /freed/));
  it('finds a tensor that was never written', () =>
    wanted(go('load2', { unwritten: true }), 'uninitialised-read', /never written/));
  it('refuses the gathers of Blackwell and im2col by name', () => {
    for (const mode of ['tile::gather4', 'im2col']) {
      const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
      const module = gpu.load(ptx.replaceAll('global.tile.', `global.${mode}.`));
      const launched = (): unknown =>
        gpu.launch(module, 'load2', { grid: [1, 1, 1], block: [32, 1, 1], arguments: [] });
      assert.throws(launched, new RegExp(`PTX line \\d+: .*${mode}`));
    }
  });
  it('says which rule a description breaks', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const pointer = gpu.allocate(4096, { name: 'x' });
    const good: TensorMapDescription = { pointer, type: 'float32', dims: [32, 8], strides: [128], box: [16, 4] };
    assert.equal(gpu.createTensorMap(good).length, 128);
    const refused: readonly [Partial<TensorMapDescription>, RegExp][] = [
      [{ dims: [1, 1, 1, 1, 1, 1] }, /6 dimensions/],
      [{ strides: [100] }, /100 bytes; it must be a multiple of 16/],
      [{ strides: [] }, /strides has 0 entries/],
      [{ box: [257, 4] }, /257 elements in dimension 0/],
      [{ box: [3, 4] }, /12 bytes wide.*multiple of 16/],
      [{ box: [16, 4], swizzle: '32B' }, /swizzle of 32B takes at most 32/],
      [{ box: [16, 4], swizzle: '128B' }, /narrower than its swizzle/],
      [{ elementStrides: [1, 9] }, /element stride of dimension 1 is 9/],
      [{ pointer: pointer + 4n }, /address must be a multiple of 16/],
      [{ dims: [32, 0] }, /dimension 1 has 0 elements/],
      [{ dims: [32, 64] }, /do not fit in x of 4096 bytes/],
      [{ interleave: '32B' }, /interleave 32B is not supported/],
      [{ oobFill: 'nan' }, /NaN is not supported/],
      [{ type: 'tfloat32' as never }, /tfloat32 are not supported/],
    ];
    for (const [change, words] of refused) {
      assert.throws(
        () => gpu.createTensorMap({ ...good, ...change }),
        (error: unknown) => error instanceof RangeError && words.test(error.message),
        String(words),
      );
    }
  });
});
