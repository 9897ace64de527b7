// finds: deadlock or budget-exceeded
// arguments: arrived: unsigned[1] = zero, y: unsigned[4]
// launch: <<<4, 32>>>
// budget: 300000
// A home-made barrier over the grid waits for gridDim.x + 1 blocks.
__global__ void broken(unsigned* arrived, unsigned* y) {
  if (threadIdx.x != 0) return;
  atomicAdd(arrived, 1u);
  while (atomicAdd(arrived, 0u) <= gridDim.x) {}
  y[blockIdx.x] = atomicAdd(arrived, 0u);
}

__global__ void repaired(unsigned* arrived, unsigned* y) {
  if (threadIdx.x != 0) return;
  atomicAdd(arrived, 1u);
  while (atomicAdd(arrived, 0u) < gridDim.x) {}
  y[blockIdx.x] = atomicAdd(arrived, 0u);
}
