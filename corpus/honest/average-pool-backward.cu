// task: average_pool
// direction: backward
// A quarter of the window's gradient to each of its four; rows and columns beyond the last window get zeros.
#include <torch/extension.h>

__global__ void average_pool_backward(const float* __restrict__ grad, float* __restrict__ dx, int planes, int h, int w, int oh, int ow) {
    const int col = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
    if (col >= w) return;
    const bool covered = row / 2 < oh && col / 2 < ow;
    for (int plane = blockIdx.z; plane < planes; plane += gridDim.z)
        dx[((size_t)plane * h + row) * w + col] = covered ? 0.25f * grad[((size_t)plane * oh + row / 2) * ow + col / 2] : 0.f;
}

torch::Tensor backward(torch::Tensor grad_output, torch::Tensor x) {
    auto dx = torch::empty(x.sizes(), x.options());
    const int h = x.size(2), w = x.size(3);
    average_pool_backward<<<dim3((w + 31) / 32, h, 4), 32>>>(grad_output.data_ptr<float>(), dx.data_ptr<float>(), x.size(0) * x.size(1), h, w,
                                                             grad_output.size(2), grad_output.size(3));
    return dx;
}
