// finds: race
// arguments: x: const int[256] = index, total: int[1] = zero
// launch: <<<4, 64>>>
// atomicAdd_block is atomic among the threads of one block; four blocks add to one cell.
__global__ void broken(const int* x, int* total) { atomicAdd_block(total, x[blockIdx.x * 64 + threadIdx.x]); }

__global__ void repaired(const int* x, int* total) { atomicAdd(total, x[blockIdx.x * 64 + threadIdx.x]); }
