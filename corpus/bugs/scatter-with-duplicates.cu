// finds: race
// arguments: to: const int[128] = random(0, 20), x: const int[128] = index, y: int[20] = zero
// launch: <<<2, 64>>>
// Several elements go to one place; which of them stays depends on who is last.
__global__ void broken(const int* to, const int* x, int* y) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  y[to[i]] = x[i];
}

__global__ void repaired(const int* to, const int* x, int* y) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  atomicMax(&y[to[i]], x[i]);
}
