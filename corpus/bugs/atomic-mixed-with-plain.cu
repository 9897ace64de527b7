// finds: race
// arguments: x: const int[128] = index, total: int[1] = zero
// launch: <<<2, 64>>>
// One block adds with atomics, the other with a load and a store.
__global__ void broken(const int* x, int* total) {
  const int v = x[blockIdx.x * 64 + threadIdx.x];
  if (blockIdx.x == 0) atomicAdd(total, v);
  else if (threadIdx.x == 0) *total += v;
}

__global__ void repaired(const int* x, int* total) {
  const int v = x[blockIdx.x * 64 + threadIdx.x];
  if (blockIdx.x == 0) atomicAdd(total, v);
  else if (threadIdx.x == 0) atomicAdd(total, v);
}
