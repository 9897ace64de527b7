// finds: race
// arguments: x: const float[64] = ramp, y: float[64]
// launch: <<<1, 128>>>
// The two producer warps synchronise among themselves; the two consumer warps read without taking part.
__global__ void broken(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (t < 64) tile[t] = 0.0f;
  __syncthreads();
  if (t < 64) {
    tile[t] = x[t] + 2.0f;
    asm volatile("bar.sync 1, 64;" ::: "memory");
  } else {
    y[t - 64] = tile[127 - t];
  }
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (t < 64) tile[t] = 0.0f;
  __syncthreads();
  if (t < 64) tile[t] = x[t] + 2.0f;
  asm volatile("bar.sync 1, 128;" ::: "memory");
  if (t >= 64) y[t - 64] = tile[127 - t];
}
