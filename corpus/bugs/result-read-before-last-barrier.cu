// finds: race
// arguments: x: const int[128] = random(-9, 9), y: int[1]
// launch: <<<1, 128>>>
// The counter is right, but thread 0 reads it while others still count: the second barrier is missing.
__global__ void broken(const int* x, int* y) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (x[threadIdx.x] > 0) atomicAdd(&count, 1);
  if (threadIdx.x == 0) *y = count;
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (x[threadIdx.x] > 0) atomicAdd(&count, 1);
  __syncthreads();
  if (threadIdx.x == 0) *y = count;
}
