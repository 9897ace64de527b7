// task: moments
// Welford in each thread, Chan's formula merges counts, means and squares by shuffles and through shared memory; two outputs.
#include <torch/extension.h>
#include <vector>

struct Welford {
  float n, mean, m2;
  __device__ void add(float v) {
    n += 1.f;
    const float d = v - mean;
    mean += d / n;
    m2 += d * (v - mean);
  }
  __device__ void merge(const Welford& o) {
    const float total = n + o.n;
    if (total == 0.f) return;
    const float d = o.mean - mean, part = o.n / total;
    mean += d * part;
    m2 += o.m2 + d * d * n * part;
    n = total;
  }
};

__device__ Welford shuffled(const Welford& w, int offset) {
  return {__shfl_down_sync(~0u, w.n, offset), __shfl_down_sync(~0u, w.mean, offset), __shfl_down_sync(~0u, w.m2, offset)};
}

__global__ void moments(const float* __restrict__ x, float* __restrict__ mean, float* __restrict__ dev, int cols, float eps) {
  __shared__ Welford parts[8];
  Welford w{0.f, 0.f, 0.f};
  for (int c = threadIdx.x; c < cols; c += blockDim.x) w.add(x[blockIdx.x * cols + c]);
  for (int o = 16; o > 0; o >>= 1) w.merge(shuffled(w, o));
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = w;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < blockDim.x / 32; ++i) w.merge(parts[i]);
    mean[blockIdx.x] = w.mean;
    dev[blockIdx.x] = sqrtf(w.m2 / w.n + eps);
  }
}

std::vector<torch::Tensor> forward(torch::Tensor x) {
  auto mean = torch::empty({x.size(0)}, x.options()), dev = torch::empty_like(mean);
  moments<<<x.size(0), 256>>>(x.data_ptr<float>(), mean.data_ptr<float>(), dev.data_ptr<float>(), x.size(1), 1e-5f);
  return {mean, dev};
}
