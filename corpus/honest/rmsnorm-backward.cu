// task: rmsnorm
// direction: backward
// scale: 100000
// dx by a block a row with two sums at once (float2); dw by blocks of 32 columns and 8 stripes, reduced in shared memory.
#include <torch/extension.h>
#include <vector>

__device__ float2 block_sum2(float2 v) {
    __shared__ float2 parts[8];
    __shared__ float2 result;
    for (int o = 16; o > 0; o >>= 1) {
        v.x += __shfl_down_sync(0xffffffff, v.x, o);
        v.y += __shfl_down_sync(0xffffffff, v.y, o);
    }
    if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = v;
    __syncthreads();
    if (threadIdx.x == 0) {
        float2 t = parts[0];
        for (int i = 1; i < (int)(blockDim.x >> 5); ++i) {
            t.x += parts[i].x;
            t.y += parts[i].y;
        }
        result = t;
    }
    __syncthreads();
    return result;
}

__global__ void rms_dx(const float* __restrict__ g, const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ dx,
                       float* __restrict__ rms, int n, float eps) {
    const size_t start = (size_t)blockIdx.x * n;
    float2 sums = make_float2(0.f, 0.f);
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        const float v = x[start + i];
        sums.x += v * v;
        sums.y += g[start + i] * w[i] * v;
    }
    sums = block_sum2(sums);
    const float r = rsqrtf(sums.x / n + eps);
    const float c = sums.y * r * r * r / n;
    for (int i = threadIdx.x; i < n; i += blockDim.x) dx[start + i] = g[start + i] * w[i] * r - x[start + i] * c;
    if (threadIdx.x == 0) rms[blockIdx.x] = r;
}

__global__ void rms_dw(const float* __restrict__ g, const float* __restrict__ x, const float* __restrict__ rms, float* __restrict__ dw, int rows, int n) {
    __shared__ float stripes[8][32];
    const int column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0.f;
    if (column < n)
        for (int r = threadIdx.y; r < rows; r += 8) sum += g[(size_t)r * n + column] * x[(size_t)r * n + column] * rms[r];
    stripes[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < n) {
        float total = 0.f;
#pragma unroll
        for (int s = 0; s < 8; ++s) total += stripes[s][threadIdx.x];
        dw[column] = total;
    }
}

std::vector<torch::Tensor> backward(torch::Tensor grad_output, torch::Tensor x, torch::Tensor weight, double eps) {
    const int rows = x.size(0), n = x.size(1);
    auto dx = torch::empty_like(x);
    auto dw = torch::empty_like(weight);
    auto rms = torch::empty({rows}, x.options());
    rms_dx<<<rows, 256>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), weight.data_ptr<float>(), dx.data_ptr<float>(), rms.data_ptr<float>(), n, (float)eps);
    rms_dw<<<(n + 31) / 32, dim3(32, 8)>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), rms.data_ptr<float>(), dw.data_ptr<float>(), rows, n);
    return {dx, dw};
}
