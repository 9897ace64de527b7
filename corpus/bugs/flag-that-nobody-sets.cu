// finds: deadlock or budget-exceeded
// arguments: flag: int[1] = zero, y: int[32]
// launch: <<<1, 32>>>
// budget: 300000
// Waits for a flag that the launch before should have raised.
__global__ void broken(volatile int* flag, int* y) {
  while (*flag == 0) {}
  y[threadIdx.x] = *flag;
}

__global__ void repaired(volatile int* flag, int* y) { y[threadIdx.x] = *flag == 0 ? -1 : 1; }
