// finds: race
// arguments: x: const int[256] = random(-9, 9), count: int[1] = zero
// launch: <<<2, 128>>>
// `*count += 1` from many threads is a load and a store; increments are lost.
__global__ void broken(const int* x, int* count) {
  if (x[blockIdx.x * blockDim.x + threadIdx.x] > 0) *count += 1;
}

__global__ void repaired(const int* x, int* count) {
  if (x[blockIdx.x * blockDim.x + threadIdx.x] > 0) atomicAdd(count, 1);
}
