// finds: order-dependence
// arguments: x: const int[128] = random(-50, 50), count: int[1] = zero, kept: int[128] = zero
// launch: <<<2, 64>>>
// Positive values are kept in the order in which threads take a ticket: another schedule, another order.
// schedules: 8
__global__ void broken(const int* x, int* count, int* kept) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (x[i] > 0) kept[atomicAdd(count, 1)] = x[i];
}

__global__ void repaired(const int* x, int* count, int* kept) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (x[i] <= 0) return;
  int place = 0;
  for (int k = 0; k < i; k++) place += x[k] > 0;
  kept[place] = x[i];
  atomicAdd(count, 1);
}
