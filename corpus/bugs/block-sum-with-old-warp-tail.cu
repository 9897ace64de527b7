// finds: missing-syncwarp or race or order-dependence
// schedules: 8
// arguments: x: const float[128] = ramp, y: float[1]
// launch: <<<1, 128>>>
// The classic unrolled last warp, with volatile and without __syncwarp.
__global__ void broken(const float* x, float* y) {
  __shared__ float sums[128];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  if (t < 64) sums[t] += sums[t + 64];
  __syncthreads();
  if (t < 32) {
    volatile float* v = sums;
    v[t] += v[t + 32];
    v[t] += v[t + 16];
    v[t] += v[t + 8];
    v[t] += v[t + 4];
    v[t] += v[t + 2];
    v[t] += v[t + 1];
  }
  if (t == 0) *y = sums[0];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float sums[128];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  if (t < 64) sums[t] += sums[t + 64];
  __syncthreads();
  if (t >= 32) return;
  float v = sums[t] + sums[t + 32];
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffffu, v, offset);
  if (t == 0) *y = v;
}
