// finds: absent-lane
// arguments: x: const int[32] = index, y: int[32] = zero
// launch: <<<1, 32>>>
// The mask is right, the source lane is not: lane 20 does not take part, so its value is undefined.
__global__ void broken(const int* x, int* y) {
  const int lane = threadIdx.x;
  if (lane < 16) y[lane] = __shfl_sync(0x0000ffffu, x[lane], 20);
}

__global__ void repaired(const int* x, int* y) {
  const int lane = threadIdx.x;
  if (lane < 16) y[lane] = __shfl_sync(0x0000ffffu, x[lane], 4);
}
