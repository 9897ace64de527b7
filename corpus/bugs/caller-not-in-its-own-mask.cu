// finds: absent-lane
// arguments: x: const int[32] = index, y: int[32]
// launch: <<<1, 32>>>
// Every lane calls, and the mask leaves the upper half out: a caller must name itself.
__global__ void broken(const int* x, int* y) {
  const int lane = threadIdx.x;
  y[lane] = __shfl_xor_sync(0x0000ffffu, x[lane], 1);
}

__global__ void repaired(const int* x, int* y) {
  const int lane = threadIdx.x;
  y[lane] = __shfl_xor_sync(0xffffffffu, x[lane], 1);
}
