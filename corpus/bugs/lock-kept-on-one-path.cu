// finds: deadlock or budget-exceeded
// arguments: x: const int[8] = {1, 2, -3, 4, 5, 6, -7, 8}, lock: int[1] = zero, total: int[1] = zero
// launch: <<<8, 1>>>
// budget: 300000
// For a negative value the function returns with the lock held.
__global__ void broken(const int* x, int* lock, int* total) {
  while (atomicCAS(lock, 0, 1) != 0) {}
  __threadfence();
  if (x[blockIdx.x] < 0) return;
  *total += x[blockIdx.x];
  __threadfence();
  atomicExch(lock, 0);
}

__global__ void repaired(const int* x, int* lock, int* total) {
  while (atomicCAS(lock, 0, 1) != 0) {}
  __threadfence();
  if (x[blockIdx.x] >= 0) *total += x[blockIdx.x];
  __threadfence();
  atomicExch(lock, 0);
}
