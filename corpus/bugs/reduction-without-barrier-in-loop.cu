// finds: race
// arguments: x: const float[256] = ramp, y: float[1]
// launch: <<<1, 256>>>
// Each level of the tree reads what the level before wrote in other warps.
__global__ void broken(const float* x, float* y) {
  __shared__ float sums[256];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  for (int half = 128; half > 0; half >>= 1) {
    if (t < half) sums[t] += sums[t + half];
  }
  __syncthreads();
  if (t == 0) *y = sums[0];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float sums[256];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  for (int half = 128; half > 0; half >>= 1) {
    if (t < half) sums[t] += sums[t + half];
    __syncthreads();
  }
  if (t == 0) *y = sums[0];
}
