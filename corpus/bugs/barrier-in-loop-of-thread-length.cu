// finds: barrier-divergence or deadlock
// arguments: lengths: const int[64] = random(1, 6), y: int[64]
// launch: <<<1, 64>>>
// Threads go round the loop as often as their own length says, and each round has a barrier.
__global__ void broken(const int* lengths, int* y) {
  __shared__ int sums[64];
  const int t = threadIdx.x;
  sums[t] = 0;
  __syncthreads();
  for (int k = 0; k < lengths[t]; k++) {
    atomicAdd(&sums[(t + k) & 63], k);
    __syncthreads();
  }
  __syncthreads();
  y[t] = sums[t];
}

__global__ void repaired(const int* lengths, int* y) {
  __shared__ int sums[64];
  const int t = threadIdx.x;
  sums[t] = 0;
  __syncthreads();
  for (int k = 0; k < 6; k++) {
    if (k < lengths[t]) atomicAdd(&sums[(t + k) & 63], k);
    __syncthreads();
  }
  y[t] = sums[t];
}
