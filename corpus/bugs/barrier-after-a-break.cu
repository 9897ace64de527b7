// finds: barrier-divergence or deadlock
// arguments: x: const int[64*4] = random(0, 4), y: int[64]
// launch: <<<1, 64>>>
// A thread that finds its value leaves the loop, and with it the barriers that the others wait at.
__global__ void broken(const int* x, int* y) {
  __shared__ int row[64];
  const int t = threadIdx.x;
  int found = -1;
  for (int k = 0; k < 4; k++) {
    row[t] = x[k * 64 + t];
    __syncthreads();
    if (row[63 - t] == 0) {
      found = k;
      break;
    }
    __syncthreads();
  }
  __syncthreads();
  y[t] = found + row[t] * 0;
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int row[64];
  const int t = threadIdx.x;
  int found = -1;
  for (int k = 0; k < 4; k++) {
    row[t] = x[k * 64 + t];
    __syncthreads();
    if (found < 0 && row[63 - t] == 0) found = k;
    __syncthreads();
  }
  y[t] = found;
}
