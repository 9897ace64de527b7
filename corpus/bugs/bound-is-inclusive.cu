// finds: out-of-bounds
// arguments: x: float[512] = ramp, n: int = 512
// launch: <<<2, 96>>>
// `<=` lets one thread of the last round scale an element that does not exist.
__global__ void broken(float* x, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i <= n; i += gridDim.x * blockDim.x) x[i] *= 0.5f;
}

__global__ void repaired(float* x, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) x[i] *= 0.5f;
}
