// task: row_sum
// cub::BlockReduce inside the kernel; threads and items as template parameters; sizes gathered in a std::vector.
#include <torch/extension.h>
#include <cub/cub.cuh>

template <int THREADS, int UNROLL>
__global__ void row_sum(const float* __restrict__ x, float* __restrict__ y, int64_t columns) {
  using BlockReduce = cub::BlockReduce<float, THREADS>;
  __shared__ typename BlockReduce::TempStorage storage;
  const float* row = x + blockIdx.x * columns;
  float sum = 0.f;
  int64_t i = threadIdx.x;
  for (; i + (UNROLL - 1) * THREADS < columns; i += UNROLL * THREADS) {
#pragma unroll
    for (int u = 0; u < UNROLL; ++u) sum += row[i + u * THREADS];
  }
  for (; i < columns; i += THREADS) sum += row[i];
  sum = BlockReduce(storage).Sum(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

torch::Tensor forward(const torch::Tensor x) {
  std::vector<int64_t> shape;
  for (int d = 0; d < x.dim(); ++d) {
    if (d != 1) shape.push_back(x.size(d));
  }
  auto y = torch::empty(shape, x.options());
  row_sum<128, 4><<<x.size(0), 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
