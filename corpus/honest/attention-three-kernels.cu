// task: attention
// Scores, softmax in place, product with the values: three kernels over a workspace.
#include <torch/extension.h>

__global__ void scores_kernel(const float* __restrict__ q, const float* __restrict__ k, float* __restrict__ s, int t, int d, float scale) {
    const int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y, head = blockIdx.z;
    if (i >= t || j >= t) return;
    const float* qi = q + ((size_t)head * t + i) * d;
    const float* kj = k + ((size_t)head * t + j) * d;
    float dot = 0.f;
    for (int x = 0; x < d; ++x) dot += qi[x] * kj[x];
    s[((size_t)head * t + i) * t + j] = dot * scale;
}

__global__ void softmax_kernel(float* s, int t) {
    float* row = s + (size_t)blockIdx.x * t;
    const int lane = threadIdx.x;
    float m = -INFINITY, sum = 0.f;
    for (int j = lane; j < t; j += 32) m = fmaxf(m, row[j]);
    for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(0xffffffff, m, o));
    for (int j = lane; j < t; j += 32) {
        row[j] = expf(row[j] - m);
        sum += row[j];
    }
    for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffff, sum, o);
    for (int j = lane; j < t; j += 32) row[j] /= sum;
}

__global__ void values_kernel(const float* __restrict__ s, const float* __restrict__ v, float* __restrict__ o, int t, int d) {
    const int x = threadIdx.x, i = blockIdx.x * blockDim.y + threadIdx.y, head = blockIdx.y;
    if (i >= t || x >= d) return;
    float sum = 0.f;
    for (int j = 0; j < t; ++j) sum += s[((size_t)head * t + i) * t + j] * v[((size_t)head * t + j) * d + x];
    o[((size_t)head * t + i) * d + x] = sum;
}

torch::Tensor attention(torch::Tensor q, torch::Tensor k, torch::Tensor v) {
    const int heads = q.size(0), t = q.size(1), d = q.size(2);
    auto s = torch::empty({heads, t, t}, q.options());
    auto o = torch::empty_like(q);
    scores_kernel<<<dim3((t + 15) / 16, (t + 15) / 16, heads), dim3(16, 16)>>>(q.data_ptr<float>(), k.data_ptr<float>(), s.data_ptr<float>(), t, d, 0.25f);
    softmax_kernel<<<heads * t, 32>>>(s.data_ptr<float>(), t);
    values_kernel<<<dim3((t + 7) / 8, heads), dim3(((d + 15) / 16) * 16, 8)>>>(s.data_ptr<float>(), v.data_ptr<float>(), o.data_ptr<float>(), t, d);
    return o;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &attention, "attention"); }
