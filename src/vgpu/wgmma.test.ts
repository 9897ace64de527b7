/**
 * wgmma against plain products: every element type, both major dimensions, every swizzle, A from registers, scales and
 * signs. Shared memory is laid out here by the figures of the PTX ISA, and in the pipeline below by tensor copies.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { numberToF16, toFloat8 } from './math/index.ts';
import { arg, bytesOf, compileCuda, f32Of, skipWithoutNvcc } from './nvcc-testing.ts';
import type { Finding } from './types.ts';

interface Case {
  readonly type: 'f16' | 'bf16' | 'tf32' | 'e4m3' | 'e5m2' | 's8' | 'u8';
  readonly bType?: 'e5m2' | 'u8';
  readonly d: 'f32' | 'f16' | 's32';
  readonly n: number;
  readonly swizzle: 0 | 32 | 64 | 128;
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly fromRegisters?: boolean;
  readonly signs?: readonly [number, number];
}

const M = 64;
const BYTES = { f16: 2, bf16: 2, tf32: 4, e4m3: 1, e5m2: 1, s8: 1, u8: 1 } as const;
/** Instructions along k, each of 32 bytes. */
const STEPS = 4;
const MODE = { 0: 0, 128: 1, 64: 2, 32: 3 } as const;

/** Bits of a small whole number. */
function encode(type: Case['type'], value: number): number {
  switch (type) {
    case 'f16':
      return numberToF16(value);
    case 'bf16':
      return new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
    case 'tf32':
      return new Uint32Array(Float32Array.of(value).buffer)[0]!;
    case 'e4m3':
    case 'e5m2':
      return toFloat8(type, false)(value);
    default:
      return value & 0xff;
  }
}

/** A matrix of `lines` along m or n and k columns in shared memory from `base` on: its bytes, and a descriptor a step. */
function layOut(
  type: Case['type'],
  lines: number,
  k: number,
  swizzle: Case['swizzle'],
  transposed: boolean,
  base: number,
) {
  const size = BYTES[type];
  const span = swizzle === 0 ? 16 : swizzle;
  // Rows of `span` bytes: along k, or along m or n when transposed. Blocks of such rows follow each other.
  const rows = transposed ? k : lines;
  const block = rows * span;
  const place = (line: number, column: number): number => {
    const [row, along] = transposed ? [column, line * size] : [line, column * size];
    const address = base + Math.floor(along / span) * block + row * span + (along % span);
    const pieces = span / 16 - 1;
    return address ^ (((address >> 7) & pieces) << 4);
  };
  const descriptors: bigint[] = [];
  for (let step = 0; step < STEPS; step++) {
    const bytes = 32 * step;
    const perStep = 32 / size;
    const start = transposed ? step * perStep * span : Math.floor(bytes / span) * block + (bytes % span);
    let [leading, stride] = transposed ? [block, 8 * span] : [block, 8 * span];
    // Without a swizzle the two change their parts when the matrix is transposed.
    if (transposed && swizzle === 0) [leading, stride] = [stride, leading];
    descriptors.push(
      BigInt((base + start) >> 4) |
        (BigInt(leading >> 4) << 16n) |
        (BigInt(stride >> 4) << 32n) |
        (BigInt(MODE[swizzle]) << 62n),
    );
  }
  return {
    place,
    descriptors,
    bytes: Math.max(lines * k * size, block * Math.ceil(((transposed ? lines : k) * size) / span)),
  };
}

/** The kernel: copies the image to shared memory, multiplies, writes each thread's registers. */
function kernel(c: Case, imageBytes: number): string {
  const { n, d } = c;
  const k = 32 / BYTES[c.type];
  const registers = d === 'f16' ? n / 4 : n / 2;
  const list = Array.from({ length: registers }, (_, r) => `%d${r}`).join(', ');
  const wide = BYTES[c.type] === 2;
  const [signA, signB] = c.signs ?? [1, 1];
  const flags = d === 's32' ? '' : `, ${signA}, ${signB}`;
  const transposes = !wide ? '' : `${c.fromRegisters ? '' : `, ${c.transA ? 1 : 0}`}, ${c.transB ? 1 : 0}`;
  const first = c.fromRegisters ? '{%a0, %a1, %a2, %a3}' : '%da';
  const operation = `wgmma.mma_async.sync.aligned.m64n${n}k${k}.${d}.${c.type}.${c.bType ?? c.type}`;
  const steps = Array.from({ length: STEPS }, (_, step) => {
    const load = c.fromRegisters
      ? [0, 1, 2, 3].map((r) => `ld.global.b32 %a${r}, [%pa + ${512 * (4 * step + r)}];`).join('\n')
      : `ld.global.b64 %da, [%pd + ${8 * step}]; add.s64 %da, %da, %base;`;
    return `${load}
    ld.global.b64 %db, [%pd + ${8 * (STEPS + step)}]; add.s64 %db, %db, %base;
    wgmma.fence.sync.aligned;
    setp.ne.u32 %p, ${step}, 0;
    ${operation} {${list}}, ${first}, %db, %p${flags}${transposes};
    wgmma.commit_group.sync.aligned;
    wgmma.wait_group.sync.aligned 0;`;
  }).join('\n');
  return `.version 8.4
.target sm_90a
.address_size 64
.visible .entry multiply(.param .u64 image, .param .u64 descriptors, .param .u64 fragments, .param .u64 out) .reqntid 128, 1, 1
{
  .reg .b32 %d<${registers}>; .reg .b32 %a<4>; .reg .b32 %t, %o, %s, %e<4>; .reg .b64 %g, %pd, %pa, %da, %db, %base, %w; .reg .pred %p;
  .shared .align 1024 .b8 tile[${imageBytes}];
  ld.param.u64 %g, [image]; ld.param.u64 %pd, [descriptors]; ld.param.u64 %pa, [fragments];
  mov.u32 %t, %tid.x; mul.wide.u32 %w, %t, 4; add.s64 %pa, %pa, %w;
  shl.b32 %o, %t, 4; mul.wide.u32 %w, %t, 16; add.s64 %g, %g, %w;
copy:
  setp.ge.u32 %p, %o, ${imageBytes}; @%p bra done;
  ld.global.v4.b32 {%e0, %e1, %e2, %e3}, [%g];
  mov.u32 %s, tile; add.u32 %s, %s, %o; st.shared.v4.b32 [%s], {%e0, %e1, %e2, %e3};
  add.u32 %o, %o, 2048; add.s64 %g, %g, 2048; bra copy;
done:
  fence.proxy.async; bar.sync 0;
  mov.u32 %s, tile; shr.u32 %s, %s, 4; cvt.u64.u32 %base, %s;
  ${steps}
  ld.param.u64 %g, [out]; mul.wide.u32 %w, %t, ${4 * registers}; add.s64 %g, %g, %w;
  ${Array.from({ length: registers }, (_, r) => `st.global.b32 [%g + ${4 * r}], %d${r};`).join('\n')}
  ret;
}`;
}

function halfOf(word: number, index: number): number {
  const bits = (word >>> (16 * index)) & 0xffff;
  const exponent = (bits >> 10) & 31;
  const value = exponent === 0 ? (bits & 1023) * 2 ** -24 : (1 + (bits & 1023) / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -value : value;
}

function check(c: Case): void {
  const size = BYTES[c.type];
  const k = (32 / size) * STEPS;
  const { n } = c;
  const low = c.type === 'u8' ? 0 : -3;
  const lowB = (c.bType ?? c.type) === 'u8' ? 0 : -3;
  const value = (seed: number, from: number): number => from + (((seed * 2654435761) >>> 7) % 7);
  const a = Array.from({ length: M * k }, (_, i) => value(i + 1, low));
  const b = Array.from({ length: n * k }, (_, i) => value(i + 70001, lowB));
  const inA = layOut(c.type, M, k, c.swizzle, c.transA === true, 0);
  const start = Math.ceil(inA.bytes / 1024) * 1024;
  const inB = layOut(c.type, n, k, c.swizzle, c.transB === true, start);
  const image = new Uint8Array(Math.ceil((start + inB.bytes) / 1024) * 1024);
  const put = (at: number, bits: number): void => {
    for (let byte = 0; byte < size; byte++) image[at + byte] = bits >>> (8 * byte);
  };
  for (let line = 0; line < M; line++)
    for (let x = 0; x < k; x++) put(inA.place(line, x), encode(c.type, a[line * k + x]!));
  for (let line = 0; line < n; line++)
    for (let x = 0; x < k; x++) put(inB.place(line, x), encode(c.bType ?? c.type, b[line * k + x]!));
  // A's registers: row lane / 4 (+ 8), four bytes of k from 4 * (lane mod 4) (+ 16) on.
  const fragments = new Uint32Array(STEPS * 4 * 128);
  for (let step = 0; step < STEPS; step++) {
    for (let r = 0; r < 4; r++) {
      for (let t = 0; t < 128; t++) {
        const row = 16 * (t >> 5) + ((t & 31) >> 2) + 8 * (r & 1);
        let word = 0;
        for (let e = 0; e < 4 / size; e++) {
          const column = (32 * step + 16 * (r >> 1) + 4 * (t & 3)) / size + e;
          word |= encode(c.type, a[row * k + column]!) << (8 * size * e);
        }
        fragments[(4 * step + r) * 128 + t] = word;
      }
    }
  }
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(kernel(c, image.length));
  const upload = (bytes: Uint8Array, name: string): bigint => {
    const pointer = gpu.allocate(bytes.length, { name });
    gpu.write(pointer, bytes);
    return pointer;
  };
  const words = new BigUint64Array([...inA.descriptors, ...inB.descriptors]);
  const registers = c.d === 'f16' ? n / 4 : n / 2;
  const out = gpu.allocate(128 * registers * 4, { name: 'out' });
  const report = gpu.launch(module, 'multiply', {
    races: true,
    grid: [1, 1, 1],
    block: [128, 1, 1],
    arguments: [
      arg.pointer(upload(image, 'image')),
      arg.pointer(upload(new Uint8Array(words.buffer), 'descriptors')),
      arg.pointer(upload(bytesOf(fragments), 'fragments')),
      arg.pointer(out),
    ],
  });
  assert.deepEqual(
    report.findings.map(({ message }) => message),
    [],
  );
  const raw = gpu.read(out, 128 * registers * 4);
  const [floats, ints] = [f32Of(raw), new Uint32Array(raw.slice().buffer)];
  const sign = (c.signs?.[0] ?? 1) * (c.signs?.[1] ?? 1);
  for (let t = 0; t < 128; t++) {
    for (let i = 0; i < n / 2; i++) {
      const row = 16 * (t >> 5) + ((t & 31) >> 2) + 8 * ((i >> 1) & 1);
      const column = 8 * (i >> 2) + 2 * (t & 3) + (i & 1);
      let sum = 0;
      for (let x = 0; x < k; x++) sum += a[row * k + x]! * b[column * k + x]!;
      const at = t * registers;
      const got =
        c.d === 'f16' ? halfOf(ints[at + (i >> 1)]!, i & 1) : c.d === 's32' ? ints[at + i]! | 0 : floats[at + i]!;
      // Zeros of either sign are equal here.
      assert.equal(got + 0, sign * sum + 0, `row ${row}, column ${column}`);
    }
  }
}

describe('wgmma', () => {
  for (const swizzle of [0, 32, 64, 128] as const) {
    for (const [transA, transB] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ] as const) {
      it(`f16, ${swizzle === 0 ? 'no swizzle' : `swizzle ${swizzle}`}, ${transA ? 'MN' : 'K'}-major A, ${transB ? 'MN' : 'K'}-major B`, () =>
        check({ type: 'f16', d: 'f32', n: 64, swizzle, transA, transB }));
    }
    it(`e4m3 and tf32, swizzle ${swizzle}`, () => {
      check({ type: 'e4m3', d: 'f32', n: 16, swizzle });
      check({ type: 'tf32', d: 'f32', n: 24, swizzle });
    });
  }
  it('other types and accumulators', () => {
    check({ type: 'bf16', d: 'f32', n: 8, swizzle: 128 });
    check({ type: 'f16', d: 'f16', n: 32, swizzle: 64, transB: true });
    check({ type: 'e5m2', d: 'f16', n: 8, swizzle: 32 });
    check({ type: 'e4m3', bType: 'e5m2', d: 'f32', n: 40, swizzle: 128 });
    check({ type: 's8', d: 's32', n: 48, swizzle: 128 });
    check({ type: 's8', bType: 'u8', d: 's32', n: 16, swizzle: 0 });
    check({ type: 'u8', d: 's32', n: 24, swizzle: 64 });
  });
  it('256 columns', () => check({ type: 'f16', d: 'f32', n: 256, swizzle: 128 }));
  it('A from registers', () => {
    check({ type: 'f16', d: 'f32', n: 16, swizzle: 128, fromRegisters: true });
    check({ type: 'bf16', d: 'f32', n: 64, swizzle: 64, fromRegisters: true, transB: true });
    check({ type: 'tf32', d: 'f32', n: 8, swizzle: 128, fromRegisters: true });
    check({ type: 's8', d: 's32', n: 8, swizzle: 32, fromRegisters: true });
    check({ type: 'e5m2', d: 'f32', n: 8, swizzle: 0, fromRegisters: true });
  });
  it('signs', () => {
    check({ type: 'f16', d: 'f32', n: 8, swizzle: 128, signs: [-1, 1] });
    check({ type: 'tf32', d: 'f32', n: 8, swizzle: 128, signs: [-1, -1] });
  });
});

/** Matrices of C, row by row, computed by TMA and wgmma as published kernels do it: a producer warp, two stages. */
const PIPELINE = `
#include <cuda.h>
#include <cuda_fp16.h>
__device__ unsigned sh(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void init(unsigned long long* b, int n) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(sh(b)), "r"(n) : "memory"); }
__device__ void expect(unsigned long long* b, int bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(sh(b)), "r"(bytes) : "memory"); }
__device__ void arrive(unsigned long long* b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(sh(b)) : "memory"); }
__device__ void waitFor(unsigned long long* b, int parity) {
  asm volatile("{.reg .pred p; again: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1; @p bra done; bra again; done: }" :: "r"(sh(b)), "r"(parity) : "memory");
}
__device__ void load(void* to, const CUtensorMap* map, int x, int y, unsigned long long* b) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" :: "r"(sh(to)), "l"(map), "r"(sh(b)), "r"(x), "r"(y) : "memory");
}
__device__ unsigned long long descriptor(const void* p) { return (unsigned long long)((sh(p) & 0x3ffff) >> 4) | (1ull << 16) | (64ull << 32) | (1ull << 62); }
#define REGS(c) "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]), "+f"(c[8]), "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15])
__device__ void product(float (&c)[16], unsigned long long a, unsigned long long b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, %16, %17, 1, 1, 1, 0, 0;" : REGS(c) : "l"(a), "l"(b));
}
#define FENCE asm volatile("wgmma.fence.sync.aligned;" ::: "memory")
#define COMMIT asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory")
#define WAIT(n) asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(n) : "memory")
template <bool WAITS, bool EARLY, bool FENCED, bool ALL>
__device__ void gemm(const CUtensorMap& ma, const CUtensorMap& mb, float* c, int n, int k) {
  __shared__ __align__(1024) __half a[2][64 * 64], b[2][32 * 64]; __shared__ unsigned long long full[2], empty[2];
  int t = threadIdx.x;
  if (t == 0) { for (int i = 0; i < 2; i++) { init(&full[i], 1); init(&empty[i], 1); } asm volatile("fence.mbarrier_init.release.cluster;"); }
  __syncthreads();
  if (t >= 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (t == 128) for (int i = 0; i < k / 64; i++) {
      int s = i & 1; waitFor(&empty[s], (i / 2 & 1) ^ 1); expect(&full[s], 12288);
      load(a[s], &ma, 64 * i, 64 * blockIdx.y, &full[s]); load(b[s], &mb, 64 * i, 32 * blockIdx.x, &full[s]);
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    float sum[16] = {};
    for (int i = 0; i < k / 64; i++) {
      int s = i & 1; waitFor(&full[s], i / 2 & 1);
      if (FENCED) FENCE;
      if (ALL || t < 96) for (int j = 0; j < 4; j++) product(sum, descriptor(a[s]) + 2 * j, descriptor(b[s]) + 2 * j);
      COMMIT;
      if (WAITS) WAIT(0);
      if (EARLY) { for (int j = 0; j < 16; j++) sum[j] *= 2; WAIT(0); }
      if (t == 0) arrive(&empty[s]);
    }
    WAIT(0);
    float* row = c + (64 * blockIdx.y + 16 * (t / 32) + t % 32 / 4) * n + 32 * blockIdx.x + 2 * (t % 4);
    for (int j = 0; j < 4; j++) for (int e = 0; e < 4; e++) row[8 * j + (e & 1) + 8 * n * (e >> 1)] = sum[4 * j + e];
  }
}
#define KERNEL(name, ...) __global__ void __launch_bounds__(256) name(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, float* c, int n, int k) { gemm<__VA_ARGS__>(a, b, c, n, k); }
extern "C" {
KERNEL(right, true, false, true, true)
KERNEL(readsTooEarly, false, true, true, true)
KERNEL(unfenced, true, false, false, true)
KERNEL(threeWarps, true, false, true, false)
}
`;

describe('wgmma fed by tensor copies', { skip: skipWithoutNvcc() }, () => {
  const ptx = skipWithoutNvcc() === false ? compileCuda(PIPELINE, ['-arch=sm_90a', '-std=c++17']) : '';
  const [m, n, k] = [128, 64, 256];
  const value = (i: number): number => (((i * 2654435761) >>> 9) % 9) - 4;
  const go = (kernel: string, schedule = 0): { findings: readonly Finding[]; c: Float32Array } => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const module = gpu.load(ptx);
    const matrix = (rows: number, seed: number, name: string): bigint => {
      const pointer = gpu.allocate(2 * rows * k, { name });
      gpu.write(pointer, bytesOf(Uint16Array.from({ length: rows * k }, (_, i) => numberToF16(value(i + seed)))));
      return pointer;
    };
    const map = (pointer: bigint, rows: number, box: number): Uint8Array =>
      gpu.createTensorMap({
        pointer,
        type: 'float16',
        dims: [k, rows],
        strides: [2 * k],
        box: [64, box],
        swizzle: '128B',
      });
    const c = gpu.allocate(4 * m * n, { name: 'c' });
    const { findings } = gpu.launch(module, kernel, {
      races: true,
      grid: [n / 32, m / 64, 1],
      block: [256, 1, 1],
      arguments: [
        map(matrix(m, 0, 'a'), m, 64),
        map(matrix(n, 9999, 'b'), n, 32),
        arg.pointer(c),
        arg.i32(n),
        arg.i32(k),
      ],
      instructionBudget: 3e6,
      schedule,
    });
    return { findings, c: f32Of(gpu.read(c, 4 * m * n)) };
  };
  const wanted = (kernel: string, kind: string, words: RegExp): void => {
    const { findings } = go(kernel);
    const fits = findings.some((finding) => finding.kind === kind && words.test(finding.message));
    assert.ok(fits, findings.map(({ kind: found, message }) => `${found}: ${message}`).join('; ') || 'nothing found');
  };
  it('is a product', () => {
    for (const schedule of [0, 7]) {
      const { findings, c } = go('right', schedule);
      assert.deepEqual(
        findings.map(({ message }) => message),
        [],
      );
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let sum = 0;
          for (let x = 0; x < k; x++) sum += value(row * k + x) * value(9999 + column * k + x);
          assert.equal(c[row * n + column], sum);
        }
      }
    }
  });
  it('finds accumulators read before the wait', () =>
    wanted('readsTooEarly', 'uninitialised-read', /wgmma.wait_group is needed first/));
  it('finds a missing wgmma.fence', () => wanted('unfenced', 'race', /without a wgmma.fence/));
  it('finds a product that one warp of the warpgroup does not come to', () =>
    wanted('threeWarps', 'deadlock', /waits in a loop/));
});
