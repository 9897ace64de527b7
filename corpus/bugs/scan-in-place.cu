// finds: race
// arguments: x: const int[128] = one, y: int[128]
// launch: <<<1, 128>>>
// Hillis and Steele's scan in one buffer: a thread overwrites its element while its right neighbour reads it.
__global__ void broken(const int* x, int* y) {
  __shared__ int sums[128];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  for (int step = 1; step < 128; step <<= 1) {
    if (t >= step) sums[t] += sums[t - step];
    __syncthreads();
  }
  y[t] = sums[t];
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int sums[2][128];
  const int t = threadIdx.x;
  int from = 0;
  sums[from][t] = x[t];
  __syncthreads();
  for (int step = 1; step < 128; step <<= 1) {
    sums[1 - from][t] = sums[from][t] + (t >= step ? sums[from][t - step] : 0);
    from = 1 - from;
    __syncthreads();
  }
  y[t] = sums[from][t];
}
