// finds: out-of-bounds
// arguments: x: const int[64] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 300}, y: int[64]
// launch: <<<1, 64>>>
// The last value is no bin of the histogram: its counter lies far beyond, in the middle of the table.
__global__ void broken(const int* x, int* y) {
  __shared__ int bins[64];
  __shared__ int table[1024];
  const int t = threadIdx.x;
  bins[t] = 0;
  for (int i = t; i < 1024; i += 64) table[i] = i;
  __syncthreads();
  atomicAdd(&bins[x[t]], 1);
  __syncthreads();
  y[t] = bins[t] + table[(t * 97) & 1023];
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int bins[64];
  __shared__ int table[1024];
  const int t = threadIdx.x;
  bins[t] = 0;
  for (int i = t; i < 1024; i += 64) table[i] = i;
  __syncthreads();
  if (x[t] < 64) atomicAdd(&bins[x[t]], 1);
  __syncthreads();
  y[t] = bins[t] + table[(t * 97) & 1023];
}
