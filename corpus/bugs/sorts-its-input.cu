// finds: write-to-readonly
// arguments: x: const int[64] = random(0, 1000), y: int[64]
// launch: <<<1, 32>>>
// An odd-even sort swaps inside the input array before it copies the result.
__global__ void broken(int* x, int* y) {
  const int t = threadIdx.x;
  for (int round = 0; round < 64; round++) {
    const int i = 2 * t + (round & 1);
    if (i + 1 < 64 && x[i] > x[i + 1]) {
      const int other = x[i];
      x[i] = x[i + 1];
      x[i + 1] = other;
    }
    __syncthreads();
  }
  y[t] = x[t], y[32 + t] = x[32 + t];
}

__global__ void repaired(int* x, int* y) {
  const int t = threadIdx.x;
  y[t] = x[t], y[32 + t] = x[32 + t];
  __syncthreads();
  for (int round = 0; round < 64; round++) {
    const int i = 2 * t + (round & 1);
    if (i + 1 < 64 && y[i] > y[i + 1]) {
      const int other = y[i];
      y[i] = y[i + 1];
      y[i + 1] = other;
    }
    __syncthreads();
  }
}
