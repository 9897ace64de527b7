// finds: race
// arguments: total: int[1] = {0}, x: const int[64] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5}
// launch: <<<4, 16>>>
// volatile makes the compiler read and write the counter each time; it does not make the addition one step.
__global__ void broken(int* total, const int* x) {
  volatile int* sum = total;
  if (threadIdx.x == 0) {
    int own = 0;
    for (int i = 0; i < 16; i++) own += x[16 * blockIdx.x + i];
    *sum = *sum + own;
  }
}

__global__ void repaired(int* total, const int* x) {
  if (threadIdx.x == 0) {
    int own = 0;
    for (int i = 0; i < 16; i++) own += x[16 * blockIdx.x + i];
    atomicAdd(total, own);
  }
}
