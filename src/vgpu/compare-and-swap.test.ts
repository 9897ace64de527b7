/** Atomics made of a plain load and atomicCAS, as the CUDA guide makes them: right answers, no accusation; their faulty kin. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualGpu } from './index.ts';
import { arg, bytesOf, compileCuda, skipWithoutNvcc } from './nvcc-testing.ts';

const SOURCE = `
#include <cuda_bf16.h>
// The greatest product so far, multiplied on: no atomic of the machine does that.
__device__ void multiply(double* place, double by) {
  unsigned long long* bits = (unsigned long long*)place;
  unsigned long long now = *bits, taken;
  do { taken = now; now = atomicCAS(bits, taken, __double_as_longlong(__longlong_as_double(taken) * by)); } while (now != taken);
}
__global__ void good_product(double* out, int* seen) { if (threadIdx.x % 8 == 0) multiply(out, 2.0); }
__global__ void good_pairs(double* out, int* seen) { atomicAdd((__nv_bfloat162*)out, __floats2bfloat162_rn(1.0f, 2.0f)); }
__global__ void good_shared(double* out, int* seen) {
  __shared__ double best; if (threadIdx.x == 0) best = 1.0; __syncthreads();
  if (threadIdx.x % 8 == 0) multiply(&best, 2.0);
  __syncthreads(); if (threadIdx.x == 0 && blockIdx.x == 0) out[0] = best; }
// The load goes by a generic address, the swap by one of global memory.
__global__ void good_cached(double* out, int* seen) { unsigned* place = (unsigned*)seen + threadIdx.x % 4;
  unsigned taken; asm volatile("ld.global.cg.b32 %0, [%1];" : "=r"(taken) : "l"(place));
  for (unsigned now; (now = atomicCAS(place, taken, taken + 1)) != taken; ) taken = now; }
// The plain load is checked by nothing.
__global__ void bad_look(double* out, int* seen) { seen[blockIdx.x * 64 + threadIdx.x] = *(int*)out; atomicCAS((int*)out, 7, 8); }
// Another place is compared.
__global__ void bad_place(double* out, int* seen) { int v = seen[1]; atomicCAS(seen, v, v + 1); atomicAdd(seen + 1, 1); }
// A plain store outruns the loop.
__global__ void bad_store(double* out, int* seen) { if (threadIdx.x == 40) out[0] = 3.0; else multiply(out, 2.0); }
`;

const skip = skipWithoutNvcc();

test('a load that atomicCAS checks does not race with atomics', { skip }, () => {
  // Before sm_90 the toolkit's header makes atomicAdd of two bfloat16 by this loop.
  const ptx = compileCuda(SOURCE, ['-arch=sm_80']);
  const gpu = new VirtualGpu({ memoryBytes: 16 << 20 });
  const run = (name: string, schedule: number) => {
    gpu.reset();
    const module = gpu.load(ptx);
    const kernel = [...module.ptx.functions.values()].find((fn) => fn.entry && fn.name.includes(name))!.name;
    const out = gpu.allocate(8, { name: 'out' });
    gpu.write(out, name === 'good_pairs' ? new Uint8Array(8) : bytesOf(Float64Array.of(1)));
    const seen = gpu.allocate(4 * 128, { name: 'seen' });
    gpu.write(seen, new Uint8Array(4 * 128));
    const report = gpu.launch(module, kernel, {
      ...{ grid: [2, 1, 1], block: [64, 1, 1], races: true, schedule, stopAtFault: false },
      arguments: [arg.pointer(out), arg.pointer(seen)],
    });
    return { kinds: report.findings.map(({ kind }) => kind), out: gpu.read(out, 8) };
  };
  for (const schedule of [0, 1]) {
    const expected = { good_product: 2 ** 16, good_shared: 2 ** 8 };
    for (const [name, value] of Object.entries(expected)) {
      const { kinds, out } = run(name, schedule);
      assert.deepEqual(kinds, [], name);
      assert.equal(new Float64Array(out.buffer)[0], value, name);
    }
    const pairs = run('good_pairs', schedule);
    assert.deepEqual(pairs.kinds, [], 'good_pairs');
    // bfloat16s of 128 and 256.
    assert.deepEqual([...new Uint16Array(pairs.out.buffer, 0, 2)], [0x4300, 0x4380]);
    assert.deepEqual(run('good_cached', schedule).kinds, [], 'good_cached');
    for (const name of ['bad_look', 'bad_place', 'bad_store'])
      assert.ok(run(name, schedule).kinds.includes('race'), `${name} under schedule ${schedule}`);
  }
});
