// finds: uninitialised-read
// arguments: x: const float[96] = ramp, y: float[1]
// launch: <<<1, 96>>>
// Three warps leave three partial sums; the last step adds thirty-two.
__device__ float warp_sum(float v) {
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffffu, v, offset);
  return v;
}

__global__ void broken(const float* x, float* y) {
  __shared__ float partials[32];
  const int t = threadIdx.x;
  const float sum = warp_sum(x[t]);
  if (t % 32 == 0) partials[t / 32] = sum;
  __syncthreads();
  if (t >= 32) return;
  const float total = warp_sum(partials[t]);
  if (t == 0) *y = total;
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float partials[32];
  const int t = threadIdx.x;
  const float sum = warp_sum(x[t]);
  if (t % 32 == 0) partials[t / 32] = sum;
  __syncthreads();
  if (t >= 32) return;
  const float total = warp_sum(t < blockDim.x / 32 ? partials[t] : 0.0f);
  if (t == 0) *y = total;
}
