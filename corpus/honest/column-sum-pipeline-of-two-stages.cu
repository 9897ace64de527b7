// task: column_sum
// scale: 12000
// cuda::pipeline with two stages of row tiles in shared memory; block-scope arrive and wait around each.
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cuda/pipeline>

namespace cg = cooperative_groups;

constexpr int kColumns = 64, kRows = 25;

__global__ void column_sum_pipeline(const float* __restrict__ x, float* __restrict__ sums, int rows, int cols, int strip) {
  constexpr int kStages = 2;
  __shared__ float tiles[kStages][kRows][kColumns];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, kStages> state;
  auto block = cg::this_thread_block();
  auto pipeline = cuda::make_pipeline(block, &state);
  const int first = blockIdx.y * strip, last = min(first + strip, rows);
  const int col = blockIdx.x * kColumns + threadIdx.x;
  const int tile_count = (last - first + kRows - 1) / kRows;

  auto load = [&](int t) {
    pipeline.producer_acquire();
    for (int r = 0; r < kRows; ++r) {
      const int row = first + t * kRows + r;
      if (row < last && col < cols)
        cuda::memcpy_async(&tiles[t % kStages][r][threadIdx.x], x + static_cast<size_t>(row) * cols + col, cuda::aligned_size_t<4>(sizeof(float)), pipeline);
      else
        tiles[t % kStages][r][threadIdx.x] = 0.0f;
    }
    pipeline.producer_commit();
  };

  float sum = 0.0f;
  load(0);
  for (int t = 0; t < tile_count; ++t) {
    if (t + 1 < tile_count) load(t + 1);
    pipeline.consumer_wait();
#pragma unroll
    for (int r = 0; r < kRows; ++r) sum += tiles[t % kStages][r][threadIdx.x];
    pipeline.consumer_release();
  }
  if (col < cols) atomicAdd(sums + col, sum);
}

torch::Tensor forward(torch::Tensor x) {
  const int rows = x.size(0), cols = x.size(1), strip = 125;
  auto sums = torch::zeros({cols}, x.options());
  dim3 grid((cols + kColumns - 1) / kColumns, (rows + strip - 1) / strip);
  column_sum_pipeline<<<grid, kColumns>>>(x.data_ptr<float>(), sums.data_ptr<float>(), rows, cols, strip);
  return sums;
}
