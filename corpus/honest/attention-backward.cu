// task: attention
// direction: backward
// Probabilities computed again into a workspace, D = rowsum(dO O) by way of dP P, then three gradients by plain products.
#include <torch/extension.h>
#include <vector>

__device__ __forceinline__ float sum32(float v) {
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
    return v;
}

// A warp a query: p and ds, both [heads, t, t].
__global__ void probabilities(const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, const float* __restrict__ grad,
                              float* __restrict__ p, float* __restrict__ ds, int t, int d, float scale) {
    const int i = blockIdx.x, head = blockIdx.y, lane = threadIdx.x;
    const size_t vectors = (size_t)head * t * d, row = ((size_t)head * t + i) * t;
    const float* qi = q + vectors + i * d;
    const float* gi = grad + vectors + i * d;
    float largest = -INFINITY;
    for (int j = lane; j < t; j += 32) {
        float s = 0.f;
        for (int x = 0; x < d; ++x) s += qi[x] * k[vectors + j * d + x];
        p[row + j] = s * scale;
        largest = fmaxf(largest, s * scale);
    }
    for (int o = 16; o; o >>= 1) largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, o));
    float total = 0.f;
    for (int j = lane; j < t; j += 32) total += p[row + j] = expf(p[row + j] - largest);
    total = sum32(total);
    float weighted = 0.f;
    for (int j = lane; j < t; j += 32) {
        float dp = 0.f;
        for (int x = 0; x < d; ++x) dp += gi[x] * v[vectors + j * d + x];
        p[row + j] /= total;
        ds[row + j] = dp;
        weighted += dp * p[row + j];
    }
    weighted = sum32(weighted);
    for (int j = lane; j < t; j += 32) ds[row + j] = p[row + j] * (ds[row + j] - weighted) * scale;
}

__global__ void gradients(const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ grad, const float* __restrict__ p,
                          const float* __restrict__ ds, float* __restrict__ dq, float* __restrict__ dk, float* __restrict__ dv, int t, int d) {
    const int x = threadIdx.x, i = blockIdx.x * blockDim.y + threadIdx.y, head = blockIdx.y;
    if (i >= t || x >= d) return;
    const size_t vectors = (size_t)head * t * d, square = (size_t)head * t * t;
    float a = 0.f, b = 0.f, c = 0.f;
    for (int j = 0; j < t; ++j) {
        a += ds[square + (size_t)i * t + j] * k[vectors + j * d + x];
        b += ds[square + (size_t)j * t + i] * q[vectors + j * d + x];
        c += p[square + (size_t)j * t + i] * grad[vectors + j * d + x];
    }
    dq[vectors + i * d + x] = a;
    dk[vectors + i * d + x] = b;
    dv[vectors + i * d + x] = c;
}

std::vector<torch::Tensor> backward(torch::Tensor grad_output, torch::Tensor q, torch::Tensor k, torch::Tensor v) {
    const int heads = q.size(0), t = q.size(1), d = q.size(2);
    auto p = torch::empty({heads, t, t}, q.options()), ds = torch::empty_like(p);
    auto dq = torch::empty_like(q), dk = torch::empty_like(k), dv = torch::empty_like(v);
    probabilities<<<dim3(t, heads), 32>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), grad_output.data_ptr<float>(), p.data_ptr<float>(),
                                          ds.data_ptr<float>(), t, d, 0.25f);
    gradients<<<dim3((t + 7) / 8, heads), dim3(16, 8)>>>(q.data_ptr<float>(), k.data_ptr<float>(), grad_output.data_ptr<float>(), p.data_ptr<float>(),
                                                         ds.data_ptr<float>(), dq.data_ptr<float>(), dk.data_ptr<float>(), dv.data_ptr<float>(), t, d);
    return {dq, dk, dv};
}
