// task: row_sum
// scale: 100000
// Eight lanes a row with compensated sums; the compensation is merged too.
#include <torch/extension.h>

struct Compensated {
  float high, low;
};

__device__ __forceinline__ Compensated two_sum(float a, float b) {
  const float s = __fadd_rn(a, b), t = __fsub_rn(s, a);
  return {s, __fadd_rn(__fsub_rn(a, __fsub_rn(s, t)), __fsub_rn(b, t))};
}

template <int LANES, int ROWS>
__global__ void row_sum_compensated(const float* __restrict__ x, float* __restrict__ y, int rows, int columns) {
  const int row = blockIdx.x * ROWS + threadIdx.y;
  Compensated acc{0.0f, 0.0f};
  if (row < rows) {
    for (int c = threadIdx.x; c < columns; c += LANES) {
      const Compensated next = two_sum(acc.high, x[static_cast<int64_t>(row) * columns + c]);
      acc = {next.high, acc.low + next.low};
    }
  }
#pragma unroll
  for (int o = LANES / 2; o > 0; o /= 2) {
    const float high = __shfl_down_sync(0xffffffffu, acc.high, o, LANES);
    const float low = __shfl_down_sync(0xffffffffu, acc.low, o, LANES);
    const Compensated next = two_sum(acc.high, high);
    acc = {next.high, acc.low + low + next.low};
  }
  if (threadIdx.x == 0 && row < rows) y[row] = acc.high + acc.low;
}

torch::Tensor forward(torch::Tensor x) {
  const int rows = x.size(0), columns = x.size(1);
  auto y = torch::empty({rows}, x.options());
  row_sum_compensated<8, 16><<<(rows + 15) / 16, dim3(8, 16)>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, columns);
  return y;
}
