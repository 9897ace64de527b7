// finds: order-dependence
// arguments: x: const int[256] = random(0, 1000), y: int[1] = zero
// launch: <<<4, 64>>>
// No race, for the exchanges are atomic; which value stays depends on who comes last.
// schedules: 8
__global__ void broken(const int* x, int* y) { atomicExch(y, x[blockIdx.x * 64 + threadIdx.x]); }

__global__ void repaired(const int* x, int* y) { atomicMax(y, x[blockIdx.x * 64 + threadIdx.x]); }
