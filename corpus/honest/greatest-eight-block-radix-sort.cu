// task: greatest_eight
// A block sorts a whole row of keys with CUB's radix sort, descending, and writes the first eight.
#include <torch/extension.h>
#include <cub/cub.cuh>
#include <cfloat>
template <int THREADS, int ITEMS>
__global__ void top(const float* __restrict__ x, float* __restrict__ y, int cols, int k) {
  using Sort = cub::BlockRadixSort<float, THREADS, ITEMS>;
  __shared__ typename Sort::TempStorage temp;
  float keys[ITEMS];
#pragma unroll
  for (int i = 0; i < ITEMS; ++i) {
    const int c = i * THREADS + threadIdx.x;
    keys[i] = c < cols ? x[(size_t)blockIdx.x * cols + c] : -FLT_MAX;
  }
  Sort(temp).SortDescending(keys);
#pragma unroll
  for (int i = 0; i < ITEMS; ++i) {
    const int place = threadIdx.x * ITEMS + i;
    if (place < k) y[blockIdx.x * k + place] = keys[i];
  }
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0), 8}, x.options());
  TORCH_CHECK(x.size(1) <= 128 * 12, "rows are too long");
  top<128, 12><<<x.size(0), 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1), 8);
  return y;
}
