// finds: race
// arguments: x: const int[256] = random(0, 16), bins: int[16]
// launch: <<<1, 256>>>
// Bins are incremented with plain loads and stores.
__global__ void broken(const int* x, int* bins) {
  __shared__ int local[16];
  const int t = threadIdx.x;
  if (t < 16) local[t] = 0;
  __syncthreads();
  local[x[t]] += 1;
  __syncthreads();
  if (t < 16) bins[t] = local[t];
}

__global__ void repaired(const int* x, int* bins) {
  __shared__ int local[16];
  const int t = threadIdx.x;
  if (t < 16) local[t] = 0;
  __syncthreads();
  atomicAdd(&local[x[t]], 1);
  __syncthreads();
  if (t < 16) bins[t] = local[t];
}
