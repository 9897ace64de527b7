// finds: unfinished-async-copy or uninitialised-read
// arguments: x: const int[64] = index, y: int[64]
// launch: <<<1, 64>>>
// wait_group waits for committed groups; these copies are in none.
__global__ void broken(const int* x, int* y) {
  __shared__ int tile[64];
  const int t = threadIdx.x;
  const unsigned to = __cvta_generic_to_shared(&tile[t]);
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + t) : "memory");
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  y[t] = tile[t ^ 1];
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int tile[64];
  const int t = threadIdx.x;
  const unsigned to = __cvta_generic_to_shared(&tile[t]);
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + t) : "memory");
  asm volatile("cp.async.commit_group;" ::: "memory");
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  y[t] = tile[t ^ 1];
}
