// task: layernorm
// direction: backward
// scale: 100000
// One kernel: the rows' blocks add their part of the parameters' gradients by atomics into zeros.
#include <torch/extension.h>
#include <tuple>

__inline__ __device__ float blockSum(float v, float* buf) {
    for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
    if (threadIdx.x % 32 == 0) buf[threadIdx.x / 32] = v;
    __syncthreads();
    float total = 0.f;
    for (int i = 0; i < blockDim.x / 32; ++i) total += buf[i];
    __syncthreads();
    return total;
}

__global__ void ln_backward(const float* __restrict__ dout, const float* __restrict__ inp, const float* __restrict__ gamma, float* __restrict__ dinp,
                            float* dgamma, float* dbeta, int C, float eps) {
    __shared__ float buf[32];
    const float* x = inp + (size_t)blockIdx.x * C;
    const float* g = dout + (size_t)blockIdx.x * C;
    float t = 0.f;
    for (int c = threadIdx.x; c < C; c += blockDim.x) t += x[c];
    const float mean = blockSum(t, buf) / C;
    t = 0.f;
    for (int c = threadIdx.x; c < C; c += blockDim.x) { const float d = x[c] - mean; t += d * d; }
    const float rstd = rsqrtf(blockSum(t, buf) / C + eps);
    float dnorm_mean = 0.f, dnorm_norm_mean = 0.f;
    for (int c = threadIdx.x; c < C; c += blockDim.x) {
        const float norm = (x[c] - mean) * rstd;
        const float dnorm = gamma[c] * g[c];
        dnorm_mean += dnorm;
        dnorm_norm_mean += dnorm * norm;
    }
    dnorm_mean = blockSum(dnorm_mean, buf) / C;
    dnorm_norm_mean = blockSum(dnorm_norm_mean, buf) / C;
    for (int c = threadIdx.x; c < C; c += blockDim.x) {
        const float norm = (x[c] - mean) * rstd;
        atomicAdd(&dbeta[c], g[c]);
        atomicAdd(&dgamma[c], norm * g[c]);
        dinp[(size_t)blockIdx.x * C + c] = (gamma[c] * g[c] - dnorm_mean - norm * dnorm_norm_mean) * rstd;
    }
}

std::tuple<torch::Tensor, torch::Tensor, torch::Tensor> backward(torch::Tensor grad_output, torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    const int B = x.size(0), C = x.size(1);
    auto dx = torch::empty_like(x);
    auto dgamma = torch::zeros_like(weight);
    auto dbeta = torch::zeros_like(bias);
    ln_backward<<<B, 128>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), weight.data_ptr<float>(), dx.data_ptr<float>(),
                            dgamma.data_ptr<float>(), dbeta.data_ptr<float>(), C, 1e-5f);
    return std::make_tuple(dx, dgamma, dbeta);
}
