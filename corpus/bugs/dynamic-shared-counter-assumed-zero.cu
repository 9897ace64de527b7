// finds: uninitialised-read
// arguments: x: const int[128] = random(-5, 5), y: int[1]
// launch: <<<1, 128, 4>>>
// Counts the positive values in a dynamic shared counter that starts with whatever was there.
extern __shared__ int counter[];

__global__ void broken(const int* x, int* y) {
  if (x[threadIdx.x] > 0) atomicAdd(counter, 1);
  __syncthreads();
  if (threadIdx.x == 0) *y = *counter;
}

__global__ void repaired(const int* x, int* y) {
  if (threadIdx.x == 0) *counter = 0;
  __syncthreads();
  if (x[threadIdx.x] > 0) atomicAdd(counter, 1);
  __syncthreads();
  if (threadIdx.x == 0) *y = *counter;
}
