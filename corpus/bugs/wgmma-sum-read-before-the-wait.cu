// finds: uninitialised-read
// arguments: x: const half[1536] = random(-1, 1), y: float[512]
// launch: <<<1, 128>>>
// A product of a warpgroup is asynchronous: its sums are there after wgmma.wait_group, not after commit_group.
#include <cuda_fp16.h>

__device__ unsigned long long describe(const void* p) {
  // Rows of 16 bytes, eight to a core matrix of 128; the next along k after 1024 bytes (A) or 128 (B).
  return (unsigned long long)((__cvta_generic_to_shared(p) & 0x3ffff) >> 4);
}
__device__ void multiply(float (&sum)[4], unsigned long long a, unsigned long long b) {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  asm volatile("wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%0, %1, %2, %3}, %4, %5, 1, 1, 1, 0, 0;"
               : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
               : "l"(a | 64ull << 16 | 8ull << 32), "l"(b | 8ull << 16 | 8ull << 32));
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
__device__ void stage(__half* tile, const __half* x) {
  for (int i = threadIdx.x; i < 1152; i += 128) tile[i] = x[i];
  asm volatile("fence.proxy.async;" ::: "memory");
  __syncthreads();
}

__global__ void broken(const __half* x, float* y) {
  __shared__ __align__(1024) __half tile[1152];
  stage(tile, x);
  float sum[4] = {};
  multiply(sum, describe(tile), describe(tile + 1024));
  for (int i = 0; i < 4; i++) y[4 * threadIdx.x + i] = sum[i] * 2;
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

__global__ void repaired(const __half* x, float* y) {
  __shared__ __align__(1024) __half tile[1152];
  stage(tile, x);
  float sum[4] = {};
  multiply(sum, describe(tile), describe(tile + 1024));
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  for (int i = 0; i < 4; i++) y[4 * threadIdx.x + i] = sum[i] * 2;
}
