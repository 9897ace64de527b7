// task: softmax
// scale: 100000
// A grid that fills the machine; each block draws rows from a counter that cudaMemsetAsync zeroes before the launch.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

constexpr int kThreads = 128;

__global__ void persistent_softmax(const float* __restrict__ x, float* __restrict__ y, int* __restrict__ next_row, int rows, int cols) {
  __shared__ int s_row;
  __shared__ float s_red[kThreads / 32];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  for (;;) {
    if (threadIdx.x == 0) s_row = atomicAdd(next_row, 1);
    __syncthreads();
    const int row = s_row;
    if (row >= rows) break;
    const float* in = x + static_cast<int64_t>(row) * cols;
    float* out = y + static_cast<int64_t>(row) * cols;

    float m = -INFINITY;
    for (int c = threadIdx.x; c < cols; c += kThreads) m = fmaxf(m, in[c]);
    for (int o = 16; o > 0; o >>= 1) m = fmaxf(m, __shfl_xor_sync(0xffffffff, m, o));
    if (lane == 0) s_red[warp] = m;
    __syncthreads();
    m = fmaxf(fmaxf(s_red[0], s_red[1]), fmaxf(s_red[2], s_red[3]));
    __syncthreads();

    float z = 0.0f;
    for (int c = threadIdx.x; c < cols; c += kThreads) {
      const float e = __expf(in[c] - m);
      out[c] = e;
      z += e;
    }
    for (int o = 16; o > 0; o >>= 1) z += __shfl_xor_sync(0xffffffff, z, o);
    if (lane == 0) s_red[warp] = z;
    __syncthreads();
    const float inv = __frcp_rn(s_red[0] + s_red[1] + s_red[2] + s_red[3]);
    for (int c = threadIdx.x; c < cols; c += kThreads) out[c] *= inv;
    __syncthreads();  // s_row and s_red are written again
  }
}

torch::Tensor forward(torch::Tensor x) {
  const int rows = x.size(0), cols = x.size(1);
  auto y = torch::empty_like(x);
  auto counter = torch::empty({1}, x.options().dtype(torch::kInt32));
  auto stream = at::cuda::getCurrentCUDAStream();
  cudaMemsetAsync(counter.data_ptr<int32_t>(), 0, sizeof(int32_t), stream);
  const int blocks = std::min(rows, at::cuda::getCurrentDeviceProperties()->multiProcessorCount * 4);
  persistent_softmax<<<blocks, kThreads, 0, stream>>>(x.data_ptr<float>(), y.data_ptr<float>(), counter.data_ptr<int32_t>(), rows, cols);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return y;
}
