// finds: out-of-bounds
// arguments: x: const float[1024] = ramp, partials: float[4]
// launch: <<<8, 128>>>
// repaired launch: <<<4, 128>>>
// The workspace was made for four blocks; eight write their partial sums.
__device__ void block_sums(const float* x, float* partials) {
  __shared__ float sums[128];
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int i = blockIdx.x * 128 + t; i < 1024; i += gridDim.x * 128) sum += x[i];
  sums[t] = sum;
  __syncthreads();
  for (int half = 64; half > 0; half >>= 1) {
    if (t < half) sums[t] += sums[t + half];
    __syncthreads();
  }
  if (t == 0) partials[blockIdx.x] = sums[0];
}

__global__ void broken(const float* x, float* partials) { block_sums(x, partials); }

__global__ void repaired(const float* x, float* partials) { block_sums(x, partials); }
