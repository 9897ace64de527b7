// task: column_sum
// Blocks take strips of rows, reduce them in shared memory, and add to a vector that cudaMemsetAsync has zeroed.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

template <int TX, int TY, int ROWS>
__global__ void column_sum_kernel(const float* __restrict__ x, float* __restrict__ sums, int rows, int cols) {
  __shared__ float tile[TY][TX];
  const int col = blockIdx.x * TX + threadIdx.x;
  const int first = blockIdx.y * ROWS;
  const int last = min(first + ROWS, rows);
  float acc = 0.0f;
  if (col < cols) {
#pragma unroll 4
    for (int r = first + threadIdx.y; r < last; r += TY) acc += x[static_cast<size_t>(r) * cols + col];
  }
  tile[threadIdx.y][threadIdx.x] = acc;
  __syncthreads();
  if (threadIdx.y == 0 && col < cols) {
#pragma unroll
    for (int k = 1; k < TY; ++k) acc += tile[k][threadIdx.x];
    atomicAdd(&sums[col], acc);
  }
}

torch::Tensor column_sum(torch::Tensor x) {
  const int rows = x.size(0), cols = x.size(1);
  auto sums = torch::empty({cols}, x.options());
  auto stream = at::cuda::getCurrentCUDAStream();
  cudaMemsetAsync(sums.data_ptr<float>(), 0, cols * sizeof(float), stream);
  constexpr int TX = 32, TY = 8, ROWS = 128;
  dim3 grid((cols + TX - 1) / TX, (rows + ROWS - 1) / ROWS);
  column_sum_kernel<TX, TY, ROWS><<<grid, dim3(TX, TY), 0, stream>>>(x.data_ptr<float>(), sums.data_ptr<float>(), rows, cols);
  return sums;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("column_sum", &column_sum); }
