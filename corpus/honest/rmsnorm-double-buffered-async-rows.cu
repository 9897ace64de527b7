// task: rmsnorm
// scale: 100000
// A few blocks walk over the rows; the next row is on its way by cp.async while this one is reduced.
#include <torch/extension.h>
#include <cuda_pipeline.h>

constexpr int BLOCK = 128;

__device__ __forceinline__ void fetch(float* stage, const float* row, int n) {
  for (int i = threadIdx.x; i < n; i += BLOCK) __pipeline_memcpy_async(stage + i, row + i, 4);
}

__global__ void rms_pipelined(const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ y, int rows, int n, float eps) {
  extern __shared__ float stages[];
  __shared__ float red[BLOCK / 32];
  int row = blockIdx.x;
  if (row < rows) fetch(stages, x + (size_t)row * n, n);
  __pipeline_commit();
  for (int turn = 0; row < rows; row += gridDim.x, turn ^= 1) {
    const int following = row + gridDim.x;
    float* mine = stages + turn * n;
    if (following < rows) fetch(stages + (turn ^ 1) * n, x + (size_t)following * n, n);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    // A thread reads what it fetched itself: no barrier is needed for the stage.
    float ss = 0.f;
    for (int i = threadIdx.x; i < n; i += BLOCK) ss += mine[i] * mine[i];
    for (int o = 16; o; o >>= 1) ss += __shfl_down_sync(0xffffffff, ss, o);
    if (threadIdx.x % 32 == 0) red[threadIdx.x / 32] = ss;
    __syncthreads();
    const float scale = rsqrtf((red[0] + red[1] + red[2] + red[3]) / n + eps);
    for (int i = threadIdx.x; i < n; i += BLOCK) y[(size_t)row * n + i] = mine[i] * scale * w[i];
    __syncthreads();
  }
  __pipeline_wait_prior(0);
}

torch::Tensor rms(torch::Tensor x, torch::Tensor w, double eps) {
  const int rows = x.size(0), n = x.size(1);
  auto y = torch::empty_like(x);
  rms_pipelined<<<std::min(rows, 24), BLOCK, 2 * n * sizeof(float)>>>(x.data_ptr<float>(), w.data_ptr<float>(), y.data_ptr<float>(), rows, n, (float)eps);
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("rms", &rms, "RMSNorm", py::arg("x"), py::arg("w"), py::arg("eps") = 1e-6); }
