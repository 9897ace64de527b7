// finds: missing-syncwarp or race
// arguments: x: const int[32] = one, y: int[32]
// launch: <<<1, 32>>>
// A scan within a warp whose levels are separated by nothing.
__global__ void broken(const int* x, int* y) {
  __shared__ int sums[32];
  const int lane = threadIdx.x;
  sums[lane] = x[lane];
  for (int step = 1; step < 32; step <<= 1) {
    const int left = lane >= step ? sums[lane - step] : 0;
    sums[lane] += left;
  }
  y[lane] = sums[lane];
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int sums[32];
  const int lane = threadIdx.x;
  sums[lane] = x[lane];
  __syncwarp();
  for (int step = 1; step < 32; step <<= 1) {
    const int left = lane >= step ? sums[lane - step] : 0;
    __syncwarp();
    sums[lane] += left;
    __syncwarp();
  }
  y[lane] = sums[lane];
}
