// task: minus_row_mean
// One warp loads and sums, the others wait at an arrive-and-wait barrier of the C++ library and write.
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cuda/barrier>
__global__ void centre(const float* x, float* y, int cols) {
  using barrier = cuda::barrier<cuda::thread_scope_block>;
  __shared__ barrier summed;
  __shared__ float row[128];
  __shared__ float mean;
  auto block = cooperative_groups::this_thread_block();
  if (block.thread_rank() == 0) init(&summed, block.size());
  block.sync();
  if (threadIdx.x < 32) {
    float total = 0;
    for (int c = threadIdx.x; c < cols; c += 32) total += row[c] = x[blockIdx.x * cols + c];
    for (int o = 16; o; o >>= 1) total += __shfl_xor_sync(~0u, total, o);
    if (threadIdx.x == 0) mean = total / cols;
    (void)summed.arrive();
  } else {
    summed.arrive_and_wait();
    for (int c = threadIdx.x - 32; c < cols; c += 32) y[blockIdx.x * cols + c] = row[c] - mean;
  }
}
torch::Tensor forward(torch::Tensor x) {
  TORCH_CHECK(x.size(1) <= 128, "the row is kept in shared memory");
  auto y = torch::empty_like(x);
  centre<<<x.size(0), 64>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
