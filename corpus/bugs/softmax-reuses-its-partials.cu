// finds: race
// arguments: x: const float[4*128] = ramp, y: float[4*128]
// launch: <<<4, 128>>>
// One small array carries the maximum and then the sum; a warp may overwrite it while another still reads the maximum.
__device__ float warp_max(float v) {
  for (int offset = 16; offset > 0; offset >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, offset));
  return v;
}

__device__ float warp_sum(float v) {
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}

__global__ void broken(const float* x, float* y) {
  __shared__ float partials[4];
  const int t = threadIdx.x, lane = t % 32, warp = t / 32;
  const float v = x[blockIdx.x * 128 + t];
  const float high = warp_max(v);
  if (lane == 0) partials[warp] = high;
  __syncthreads();
  const float top = fmaxf(fmaxf(partials[0], partials[1]), fmaxf(partials[2], partials[3]));
  const float e = expf(v - top);
  const float sum = warp_sum(e);
  if (lane == 0) partials[warp] = sum;
  __syncthreads();
  y[blockIdx.x * 128 + t] = e / (partials[0] + partials[1] + partials[2] + partials[3]);
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float partials[4];
  const int t = threadIdx.x, lane = t % 32, warp = t / 32;
  const float v = x[blockIdx.x * 128 + t];
  const float high = warp_max(v);
  if (lane == 0) partials[warp] = high;
  __syncthreads();
  const float top = fmaxf(fmaxf(partials[0], partials[1]), fmaxf(partials[2], partials[3]));
  __syncthreads();
  const float e = expf(v - top);
  const float sum = warp_sum(e);
  if (lane == 0) partials[warp] = sum;
  __syncthreads();
  y[blockIdx.x * 128 + t] = e / (partials[0] + partials[1] + partials[2] + partials[3]);
}
