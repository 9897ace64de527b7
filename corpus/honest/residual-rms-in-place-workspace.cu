// task: residual_rms
// The sum goes to the output, which the second kernel normalises in place; the reciprocal norms in between by a column of blocks.
#include <torch/extension.h>

__global__ void add_kernel(const float* x, const float* r, float* h, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) h[i] = x[i] + r[i];
}

__global__ void rms_in_place(float* h, const float* weight, int columns) {
    __shared__ float total;
    float* row = h + blockIdx.x * columns;
    if (threadIdx.x == 0) total = 0.0f;
    __syncthreads();
    float mine = 0.0f;
    for (int c = threadIdx.x; c < columns; c += blockDim.x) mine += row[c] * row[c];
    atomicAdd(&total, mine);
    __syncthreads();
    const float scale = 1.0f / sqrtf(total / columns + 1e-5f);
    for (int c = threadIdx.x; c < columns; c += blockDim.x) row[c] = row[c] * scale * weight[c];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor r, torch::Tensor weight) {
    auto h = torch::empty_like(x);
    const int n = x.numel();
    add_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), r.data_ptr<float>(), h.data_ptr<float>(), n);
    rms_in_place<<<x.size(0), 64>>>(h.data_ptr<float>(), weight.data_ptr<float>(), x.size(1));
    return h;
}
