// finds: absent-lane or deadlock
// arguments: x: const int[32] = index, y: unsigned[32] = zero
// launch: <<<1, 32>>>
// A ballot of the whole warp, called by the odd lanes alone.
__global__ void broken(const int* x, unsigned* y) {
  const int lane = threadIdx.x;
  if (x[lane] & 1) y[lane] = __ballot_sync(0xffffffffu, x[lane] > 10);
}

__global__ void repaired(const int* x, unsigned* y) {
  const int lane = threadIdx.x;
  const unsigned votes = __ballot_sync(0xffffffffu, (x[lane] & 1) && x[lane] > 10);
  if (x[lane] & 1) y[lane] = votes;
}
