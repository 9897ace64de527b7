// finds: race
// arguments: x: const int[128] = random(-9, 9), y: int[1]
// launch: <<<1, 128>>>
// `count++` on shared memory is a load and a store; increments are lost.
__global__ void broken(const int* x, int* y) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (x[threadIdx.x] > 0) count++;
  __syncthreads();
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
