// finds: race
// arguments: x: const int[128] = random(0, 1000), y: int[1]
// launch: <<<1, 128>>>
// Test and set without an atomic: two threads pass the test, and the smaller may write last.
__global__ void broken(const int* x, int* y) {
  __shared__ int best;
  if (threadIdx.x == 0) best = x[0];
  __syncthreads();
  if (x[threadIdx.x] > best) best = x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) *y = best;
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int best;
  if (threadIdx.x == 0) best = x[0];
  __syncthreads();
  atomicMax(&best, x[threadIdx.x]);
  __syncthreads();
  if (threadIdx.x == 0) *y = best;
}
