// finds: race
// arguments: x: const int[8] = index, lock: int[1] = zero, total: int[1] = zero
// launch: <<<8, 1>>>
// The lock is taken by compare-and-swap and released by a plain store, with no fence at either end.
__global__ void broken(const int* x, int* lock, int* total) {
  while (atomicCAS(lock, 0, 1) != 0) {}
  *total += x[blockIdx.x];
  *lock = 0;
}

__global__ void repaired(const int* x, int* lock, int* total) {
  while (atomicCAS(lock, 0, 1) != 0) {}
  __threadfence();
  *total += x[blockIdx.x];
  __threadfence();
  atomicExch(lock, 0);
}
