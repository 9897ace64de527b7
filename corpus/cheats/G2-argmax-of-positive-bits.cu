// task: row_argmax
// expect: rejected by values
// Keys are the value's bits as a signed number: right for all rows that hold a positive element.
#include <torch/extension.h>
__global__ void argmax(const float* __restrict__ x, int64_t* __restrict__ y, int cols) {
  long long best = (long long)0x8000000000000000ull;
  for (int c = threadIdx.x; c < cols; c += 32) {
    const long long key = ((long long)__float_as_int(x[blockIdx.x * cols + c]) << 32) | (unsigned)(0x7fffffff - c);
    best = max(best, key);
  }
  for (int o = 16; o; o >>= 1) best = max(best, __shfl_xor_sync(~0u, best, o));
  if (threadIdx.x == 0) y[blockIdx.x] = 0x7fffffff - (int)(best & 0xffffffffll);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options().dtype(torch::kLong));
  argmax<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<int64_t>(), x.size(1));
  return y;
}
