// task: embedding_sum
// One block a bag; the indices are staged in shared memory, every thread a column.
#include <torch/extension.h>

__global__ void embedding_bag(const int64_t* __restrict__ idx, const float* __restrict__ table, float* __restrict__ out, int bag, int width, int64_t words) {
  extern __shared__ int64_t s_idx[];
  for (int k = threadIdx.x; k < bag; k += blockDim.x) s_idx[k] = idx[blockIdx.x * bag + k];
  __syncthreads();
  for (int c = threadIdx.x; c < width; c += blockDim.x) {
    float sum = 0;
    for (int k = 0; k < bag; ++k) {
      const int64_t w = s_idx[k];
      if (w >= 0 && w < words) sum += table[w * width + c];
    }
    out[blockIdx.x * width + c] = sum;
  }
}

torch::Tensor forward(torch::Tensor indices, torch::Tensor table) {
  TORCH_CHECK(indices.scalar_type() == torch::kInt64, "indices must be int64");
  const int bags = indices.size(0), bag = indices.size(1), width = table.size(1);
  auto out = torch::empty({bags, width}, table.options());
  embedding_bag<<<bags, 64, bag * sizeof(int64_t)>>>(indices.data_ptr<int64_t>(), table.data_ptr<float>(), out.data_ptr<float>(), bag, width, table.size(0));
  return out;
}
