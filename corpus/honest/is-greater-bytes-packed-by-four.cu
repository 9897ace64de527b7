// task: is_greater
// Four comparisons make one 32-bit word of four booleans; the tail is written byte by byte.
#include <torch/extension.h>

__global__ void greater4(const float4* __restrict__ a, const float4* __restrict__ b, unsigned* __restrict__ out, int quads,
                         const float* __restrict__ as, const float* __restrict__ bs, bool* __restrict__ outs, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < quads) {
    const float4 p = __ldcs(a + i), q = __ldcs(b + i);
    __stcs(out + i, unsigned(p.x > q.x) | unsigned(p.y > q.y) << 8 | unsigned(p.z > q.z) << 16 | unsigned(p.w > q.w) << 24);
  } else {
    const int t = quads * 4 + (i - quads);
    if (t < n) outs[t] = as[t] > bs[t];
  }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  auto out = torch::empty(a.sizes(), a.options().dtype(torch::kBool));
  const int n = a.numel(), quads = n / 4, threads = quads + n % 4;
  greater4<<<(threads + 255) / 256, 256>>>(reinterpret_cast<const float4*>(a.data_ptr<float>()), reinterpret_cast<const float4*>(b.data_ptr<float>()),
                                           reinterpret_cast<unsigned*>(out.data_ptr<bool>()), quads, a.data_ptr<float>(), b.data_ptr<float>(), out.data_ptr<bool>(), n);
  return out;
}
