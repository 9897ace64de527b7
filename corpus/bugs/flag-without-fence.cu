// finds: race
// arguments: x: const int[64] = index, data: int[64], flag: int[1] = zero, y: int[64]
// launch: <<<2, 64>>>
// Block 0 writes data and raises a flag; without fences the flag may be seen before the data.
__global__ void broken(const int* x, int* data, int* flag, int* y) {
  const int t = threadIdx.x;
  if (blockIdx.x == 0) {
    data[t] = x[t] * 3;
    __syncthreads();
    if (t == 0) atomicExch(flag, 1);
  } else {
    if (t == 0) while (atomicAdd(flag, 0) == 0) {}
    __syncthreads();
    y[t] = data[63 - t];
  }
}

__global__ void repaired(const int* x, int* data, int* flag, int* y) {
  const int t = threadIdx.x;
  if (blockIdx.x == 0) {
    data[t] = x[t] * 3;
    __threadfence();
    __syncthreads();
    if (t == 0) {
      __threadfence();
      atomicExch(flag, 1);
    }
  } else {
    if (t == 0) {
      while (atomicAdd(flag, 0) == 0) {}
      __threadfence();
    }
    __syncthreads();
    y[t] = data[63 - t];
  }
}
