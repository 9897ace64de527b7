// finds: uninitialised-read
// arguments: x: const float[96] = ramp, y: float[1]
// launch: <<<1, 96>>>
// A tree that starts at 64 pairs 64 threads with 64 others; the block has 96.
__global__ void broken(const float* x, float* y) {
  __shared__ float sums[128];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  for (int half = 64; half > 0; half >>= 1) {
    if (t < half) sums[t] += sums[t + half];
    __syncthreads();
  }
  if (t == 0) *y = sums[0];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float sums[128];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  for (int half = 64; half > 0; half >>= 1) {
    if (t < half && t + half < blockDim.x) sums[t] += sums[t + half];
    __syncthreads();
  }
  if (t == 0) *y = sums[0];
}
