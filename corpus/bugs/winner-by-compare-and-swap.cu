// finds: order-dependence
// arguments: x: const int[128] = random(0, 4), winner: int[1] = -1
// launch: <<<2, 64>>>
// Any of the candidates may claim the cell first.
// schedules: 8
__global__ void broken(const int* x, int* winner) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (x[i] == 0) atomicCAS(winner, -1, i);
}

__global__ void repaired(const int* x, int* winner) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (x[i] == 0) atomicMin(reinterpret_cast<unsigned*>(winner), static_cast<unsigned>(i));
}
