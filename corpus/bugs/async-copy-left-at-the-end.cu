// finds: unfinished-async-copy
// arguments: x: const float[4*32] = ramp, y: float[32]
// launch: <<<1, 32>>>
// The loop prefetches one tile more than it uses and the kernel ends with that copy in flight.
#include <cuda_pipeline.h>

__device__ void fetch(float* to, const float* from, bool wanted) {
  if (wanted) __pipeline_memcpy_async(to, from, 4);
  __pipeline_commit();
}

__global__ void broken(const float* x, float* y) {
  __shared__ float stage[2][32];
  const int t = threadIdx.x;
  float sum = 0.0f;
  fetch(&stage[0][t], x + t, true);
  for (int k = 0; k < 3; k++) {
    fetch(&stage[(k + 1) & 1][t], x + (k + 1) * 32 + t, true);
    __pipeline_wait_prior(1);
    sum += stage[k & 1][t];
  }
  y[t] = sum;
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float stage[2][32];
  const int t = threadIdx.x;
  float sum = 0.0f;
  fetch(&stage[0][t], x + t, true);
  for (int k = 0; k < 3; k++) {
    fetch(&stage[(k + 1) & 1][t], x + (k + 1) * 32 + t, k + 1 < 3);
    __pipeline_wait_prior(1);
    sum += stage[k & 1][t];
  }
  y[t] = sum;
}
