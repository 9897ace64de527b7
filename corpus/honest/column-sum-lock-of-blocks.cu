// task: column_sum
// Blocks add to the result one after another, under a lock with fences on both sides.
#include <torch/extension.h>
__global__ void column_sum(const float* __restrict__ x, float* y, int* lock, int rows, int cols, int per) {
  const int c = threadIdx.x;
  float a = 0.f;
  for (int r = blockIdx.x * per; r < min(rows, (int)(blockIdx.x + 1) * per); ++r) a += x[r * cols + c];
  if (c == 0) {
    while (atomicCAS(lock, 0, 1) != 0) __nanosleep(20);
    __threadfence();
  }
  __syncthreads();
  volatile float* sum = y + c;
  *sum = *sum + a;
  __threadfence();
  __syncthreads();
  if (c == 0) atomicExch(lock, 0);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::zeros({x.size(1)}, x.options());
  auto lock = torch::zeros({1}, x.options().dtype(torch::kInt));
  const int rows = x.size(0), per = 100;
  column_sum<<<(rows + per - 1) / per, x.size(1)>>>(x.data_ptr<float>(), y.data_ptr<float>(), lock.data_ptr<int>(), rows, x.size(1), per);
  return y;
}
