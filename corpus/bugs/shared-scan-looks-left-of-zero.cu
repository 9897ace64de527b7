// finds: out-of-bounds
// arguments: x: const int[128] = one, y: int[128]
// launch: <<<1, 128>>>
// An exclusive scan reads the element to the left; thread 0 has none and reads in front of the shared array.
__device__ void inclusive_scan(int* sums, int t) {
  for (int step = 1; step < 128; step <<= 1) {
    const int left = t >= step ? sums[t - step] : 0;
    __syncthreads();
    sums[t] += left;
    __syncthreads();
  }
}

__global__ void broken(const int* x, int* y) {
  __shared__ int sums[128];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  inclusive_scan(sums, t);
  y[t] = sums[t - 1];
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int sums[128];
  const int t = threadIdx.x;
  sums[t] = x[t];
  __syncthreads();
  inclusive_scan(sums, t);
  y[t] = t > 0 ? sums[t - 1] : 0;
}
