// finds: absent-lane or deadlock
// arguments: x: const int[32] = index, y: unsigned[32] = zero
// launch: <<<1, 32>>>
// A ballot of the whole warp, called by the odd lanes alone, while the even ones go on to a barrier. (Lanes that had exited
// would not be waited for: PTX votes are over the threads of the mask that have not exited.)
__global__ void broken(const int* x, unsigned* y) {
  const int lane = threadIdx.x;
  if (x[lane] & 1) y[lane] = __ballot_sync(0xffffffffu, x[lane] > 10);
  __syncthreads();
  y[lane] += y[lane ^ 1] & 1;
}

__global__ void repaired(const int* x, unsigned* y) {
  const int lane = threadIdx.x;
  if (lane >= 30) return;
  const unsigned votes = __ballot_sync(0xffffffffu, (x[lane] & 1) && x[lane] > 10);
  if (x[lane] & 1) y[lane] = votes;
}
