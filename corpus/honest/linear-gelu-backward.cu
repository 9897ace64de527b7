// task: linear_gelu
// direction: backward
// The gradient before the activation into a workspace, then two products and a sum over columns.
#include <torch/extension.h>
#include <vector>

__global__ void before_activation(const float* __restrict__ dy, const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
                                  float* __restrict__ dz, int rows, int outputs, int features) {
  const int o = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
  if (o >= outputs || r >= rows) return;
  float z = b[o];
  for (int f = 0; f < features; ++f) z += x[r * features + f] * w[o * features + f];
  const float cdf = 0.5f * (1.f + erff(z * 0.70710678118654752f));
  const float pdf = 0.39894228040143268f * expf(-0.5f * z * z);
  dz[r * outputs + o] = dy[r * outputs + o] * (cdf + z * pdf);
}

// C[m, n] = sum over k of A(m, k) B(k, n), with any strides.
struct View { const float* p; int s0, s1; };

template <int T>
__global__ void strided_gemm(View a, View b, float* __restrict__ c, int M, int N, int K) {
  __shared__ float as[T][T + 1], bs[T][T + 1];
  const int m = blockIdx.y * T + threadIdx.y, n = blockIdx.x * T + threadIdx.x;
  float acc = 0.f;
  for (int k0 = 0; k0 < K; k0 += T) {
    const int ka = k0 + threadIdx.x, kb = k0 + threadIdx.y;
    as[threadIdx.y][threadIdx.x] = m < M && ka < K ? a.p[m * a.s0 + ka * a.s1] : 0.f;
    bs[threadIdx.y][threadIdx.x] = n < N && kb < K ? b.p[kb * b.s0 + n * b.s1] : 0.f;
    __syncthreads();
    for (int k = 0; k < T; ++k) acc += as[threadIdx.y][k] * bs[k][threadIdx.x];
    __syncthreads();
  }
  if (m < M && n < N) c[m * N + n] = acc;
}

__global__ void column_sums(const float* __restrict__ dz, float* __restrict__ db, int rows, int outputs) {
  const int o = blockIdx.x * blockDim.x + threadIdx.x;
  if (o >= outputs) return;
  float sum = 0.f;
  for (int r = 0; r < rows; ++r) sum += dz[r * outputs + o];
  db[o] = sum;
}

std::vector<torch::Tensor> backward(torch::Tensor grad_output, torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int rows = x.size(0), features = x.size(1), outputs = weight.size(0);
  auto dz = torch::empty({rows, outputs}, x.options());
  auto dx = torch::empty_like(x), dw = torch::empty_like(weight), db = torch::empty_like(bias);
  auto blocks = [](int n, int m) { return dim3((n + 15) / 16, (m + 15) / 16); };
  const dim3 threads(16, 16);
  before_activation<<<blocks(outputs, rows), threads>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(),
                                                        dz.data_ptr<float>(), rows, outputs, features);
  strided_gemm<16><<<blocks(features, rows), threads>>>(View{dz.data_ptr<float>(), outputs, 1}, View{weight.data_ptr<float>(), features, 1},
                                                        dx.data_ptr<float>(), rows, features, outputs);
  strided_gemm<16><<<blocks(features, outputs), threads>>>(View{dz.data_ptr<float>(), 1, outputs}, View{x.data_ptr<float>(), features, 1},
                                                           dw.data_ptr<float>(), outputs, features, rows);
  column_sums<<<(outputs + 63) / 64, 64>>>(dz.data_ptr<float>(), db.data_ptr<float>(), rows, outputs);
  return {dx, dw, db};
}
