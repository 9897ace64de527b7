// task: group_norm
// Two kernels: mean and reciprocal deviation of every group into a workspace, then an elementwise pass.
#include <torch/extension.h>
#include <vector>

__global__ void gn_stats(const float* __restrict__ x, float2* __restrict__ stats, int group_elems, float eps) {
    __shared__ float sh[2][8];
    const float* p = x + (size_t)blockIdx.x * group_elems;
    float sum = 0.f;
    for (int i = threadIdx.x; i < group_elems; i += 256) sum += p[i];
    for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffff, sum, o);
    if ((threadIdx.x & 31) == 0) sh[0][threadIdx.x >> 5] = sum;
    __syncthreads();
    float mean = 0.f;
    for (int w = 0; w < 8; ++w) mean += sh[0][w];
    mean /= group_elems;

    float var = 0.f;
    for (int i = threadIdx.x; i < group_elems; i += 256) {
        const float d = p[i] - mean;
        var += d * d;
    }
    for (int o = 16; o; o >>= 1) var += __shfl_xor_sync(0xffffffff, var, o);
    if ((threadIdx.x & 31) == 0) sh[1][threadIdx.x >> 5] = var;
    __syncthreads();
    if (threadIdx.x == 0) {
        var = 0.f;
        for (int w = 0; w < 8; ++w) var += sh[1][w];
        stats[blockIdx.x] = make_float2(mean, rsqrtf(var / group_elems + eps));
    }
}

__global__ void gn_apply(const float* __restrict__ x, const float2* __restrict__ stats, const float* __restrict__ gamma,
                         const float* __restrict__ beta, float* __restrict__ y, int C, int HW, int channels_per_group, int total) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    const int plane = i / HW, c = plane % C;
    const float2 s = stats[plane / channels_per_group];
    y[i] = (x[i] - s.x) * s.y * gamma[c] + beta[c];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor gamma, torch::Tensor beta, int64_t groups) {
    const int N = x.size(0), C = x.size(1), HW = x.size(2) * x.size(3);
    const int per = C / groups;
    auto y = torch::empty_like(x);
    auto stats = torch::empty({N, groups, 2}, x.options());
    auto* sp = reinterpret_cast<float2*>(stats.data_ptr<float>());
    gn_stats<<<N * groups, 256>>>(x.data_ptr<float>(), sp, per * HW, 1e-5f);
    const int total = x.numel();
    gn_apply<<<(total + 255) / 256, 256>>>(x.data_ptr<float>(), sp, gamma.data_ptr<float>(), beta.data_ptr<float>(), y.data_ptr<float>(), C, HW, per, total);
    return y;
}
