// task: sorted_rows
// Each element counts what stands before it, equal ones by their place: no exchange at all.
#include <torch/extension.h>
__global__ void by_rank(const float* x, float* y, int n) {
  extern __shared__ float row[];
  const int t = threadIdx.x;
  row[t] = x[blockIdx.x * n + t];
  __syncthreads();
  int rank = 0;
  for (int j = 0; j < n; j++) rank += row[j] > row[t] || (row[j] == row[t] && j < t);
  y[blockIdx.x * n + rank] = row[t];
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  by_rank<<<x.size(0), x.size(1), x.size(1) * sizeof(float)>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
