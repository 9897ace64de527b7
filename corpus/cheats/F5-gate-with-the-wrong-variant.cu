// task: gru_cell
// expect: rejected by values
// The bias of the candidate's recurrent product is added outside of the reset gate, as an older variant of the unit has it.
#include <torch/extension.h>

__global__ void gru(const float* x, const float* h, const float* wi, const float* bi, const float* wh, const float* bh, float* out, int in, int hidden) {
  const int u = threadIdx.x, row = blockIdx.x;
  float gi[3], gh[3];
  for (int g = 0; g < 3; ++g) {
    gi[g] = bi[g * hidden + u] + bh[g * hidden + u];
    gh[g] = 0.f;
    for (int k = 0; k < in; ++k) gi[g] += x[row * in + k] * wi[(g * hidden + u) * in + k];
    for (int k = 0; k < hidden; ++k) gh[g] += h[row * hidden + k] * wh[(g * hidden + u) * hidden + k];
  }
  const float r = 1.f / (1.f + expf(-gi[0] - gh[0])), z = 1.f / (1.f + expf(-gi[1] - gh[1])), n = tanhf(gi[2] + r * gh[2]);
  out[row * hidden + u] = (1.f - z) * n + z * h[row * hidden + u];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor h, torch::Tensor wi, torch::Tensor bi, torch::Tensor wh, torch::Tensor bh) {
  auto out = torch::empty_like(h);
  gru<<<x.size(0), h.size(1)>>>(x.data_ptr<float>(), h.data_ptr<float>(), wi.data_ptr<float>(), bi.data_ptr<float>(), wh.data_ptr<float>(), bh.data_ptr<float>(),
                                out.data_ptr<float>(), x.size(1), h.size(1));
  return out;
}
