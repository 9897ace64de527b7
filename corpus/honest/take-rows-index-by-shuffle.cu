// task: take_rows
// A warp a row: the lane that holds the index gives it to the others by shuffle; rows move as float2.
#include <torch/extension.h>

__global__ void take(const float2* __restrict__ table, const long* __restrict__ ids, const float* __restrict__ w, float2* __restrict__ out, int rows, int half) {
  const int warp = (blockIdx.x * blockDim.x + threadIdx.x) >> 5, lane = threadIdx.x & 31;
  if (warp >= rows) return;
  long id = 0;
  float f = 0.f;
  if (lane == 0) id = ids[warp], f = w[warp];
  id = __shfl_sync(0xffffffffu, id, 0);
  f = __shfl_sync(0xffffffffu, f, 0);
  for (int c = lane; c < half; c += 32) {
    const float2 v = __ldg(table + id * half + c);
    out[warp * half + c] = make_float2(v.x * f, v.y * f);
  }
}

torch::Tensor forward(torch::Tensor table, torch::Tensor ids, torch::Tensor w) {
  const int rows = ids.size(0), width = table.size(1);
  TORCH_CHECK(width % 2 == 0, "the width must be even");
  auto out = torch::empty({rows, width}, table.options());
  take<<<(rows * 32 + 127) / 128, 128>>>((const float2*)table.data_ptr<float>(), (const long*)ids.data_ptr<int64_t>(), w.data_ptr<float>(), (float2*)out.data_ptr<float>(), rows, width / 2);
  return out;
}
