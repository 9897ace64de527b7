// task: column_sum
// Deterministic: partial sums of row strips into a workspace, added up in a fixed order by a second kernel.
#include <torch/extension.h>

__global__ void strips(const float* __restrict__ a, float* __restrict__ work, int64_t m, int64_t n, int64_t strip) {
  const int64_t j = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= n) return;
  const int64_t lo = blockIdx.y * strip, hi = lo + strip < m ? lo + strip : m;
  float s = 0;
  for (int64_t i = lo; i < hi; ++i) s += a[i * n + j];
  work[blockIdx.y * n + j] = s;
}

__global__ void gather(const float* __restrict__ work, float* __restrict__ out, int64_t n, int64_t count) {
  const int64_t j = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= n) return;
  double s = 0;
  for (int64_t k = 0; k < count; ++k) s += work[k * n + j];
  out[j] = float(s);
}

torch::Tensor forward(const torch::Tensor& a) {
  const auto m = a.size(0);
  const auto n = a.size(1);
  const int64_t strip = 64;
  const int64_t count = (m + strip - 1) / strip;
  auto work = torch::empty({count, n}, a.options());
  auto out = torch::empty({n}, a.options());
  const unsigned columns = static_cast<unsigned>((n + 63) / 64);
  strips<<<dim3(columns, static_cast<unsigned>(count), 1), 64>>>(a.data_ptr<float>(), work.data_ptr<float>(), m, n, strip);
  gather<<<columns, 64>>>(work.data_ptr<float>(), out.data_ptr<float>(), n, count);
  return out;
}
