// finds: race
// arguments: x: const float[4*64] = ramp, partials: float[4], tickets: unsigned[1] = zero, y: float[1]
// launch: <<<4, 64>>>
// The last block to take a ticket adds the partial sums of the others; nothing orders them before the tickets.
__device__ float block_sum(const float* x) {
  __shared__ float sums[64];
  const int t = threadIdx.x;
  sums[t] = x[blockIdx.x * 64 + t];
  __syncthreads();
  for (int half = 32; half > 0; half >>= 1) {
    if (t < half) sums[t] += sums[t + half];
    __syncthreads();
  }
  return sums[0];
}

__global__ void broken(const float* x, float* partials, unsigned* tickets, float* y) {
  const float sum = block_sum(x);
  if (threadIdx.x != 0) return;
  partials[blockIdx.x] = sum;
  if (atomicAdd(tickets, 1u) != gridDim.x - 1) return;
  float total = 0.0f;
  for (int k = 0; k < gridDim.x; k++) total += partials[k];
  *y = total;
}

__global__ void repaired(const float* x, float* partials, unsigned* tickets, float* y) {
  const float sum = block_sum(x);
  if (threadIdx.x != 0) return;
  partials[blockIdx.x] = sum;
  __threadfence();
  if (atomicAdd(tickets, 1u) != gridDim.x - 1) return;
  __threadfence();
  float total = 0.0f;
  for (int k = 0; k < gridDim.x; k++) total += partials[k];
  *y = total;
}
