// finds: out-of-bounds
// arguments: x: const float[256] = ramp, y: float[256]
// launch: <<<1, 256>>>
// The tile was sized for 128 threads; the launch has 256.
__global__ void broken(const float* x, float* y) {
  __shared__ float tile[128];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  y[t] = tile[blockDim.x - 1 - t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[256];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  y[t] = tile[blockDim.x - 1 - t];
}
