// finds: uninitialised-read
// arguments: x: const int[256] = index, total: int[1]
// launch: <<<1, 256>>>
// Nobody sets the total to zero before the first atomicAdd.
__global__ void broken(const int* x, int* total) { atomicAdd(total, x[threadIdx.x]); }

__global__ void repaired(const int* x, int* total) {
  if (threadIdx.x == 0) *total = 0;
  __syncthreads();
  atomicAdd(total, x[threadIdx.x]);
}
