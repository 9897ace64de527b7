// finds: out-of-bounds
// arguments: x: const int[512] = random(0, 80), bins: int[64] = zero, n: int = 512
// launch: <<<2, 256>>>
// Values go up to 79 and there are 64 bins: nothing clamps them.
__global__ void broken(const int* x, int* bins, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&bins[x[i]], 1);
}

__global__ void repaired(const int* x, int* bins, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&bins[min(max(x[i], 0), 63)], 1);
}
