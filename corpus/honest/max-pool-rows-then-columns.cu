// task: max_pool
// A plane a block: maxima along the rows into shared memory, then along the columns.
#include <torch/extension.h>

__global__ void pool_plane(const float* __restrict__ x, float* __restrict__ y, int h, int w, int oh, int ow) {
    extern __shared__ float across[];  // h by ow
    const float* in = x + (size_t)blockIdx.x * h * w;
    for (int i = threadIdx.x; i < h * ow; i += blockDim.x) {
        const int row = i / ow, c = 2 * (i % ow);
        float m = in[row * w + c];
        if (c > 0) m = fmaxf(m, in[row * w + c - 1]);
        if (c + 1 < w) m = fmaxf(m, in[row * w + c + 1]);
        across[i] = m;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < oh * ow; i += blockDim.x) {
        const int r = 2 * (i / ow), c = i % ow;
        float m = across[r * ow + c];
        if (r > 0) m = fmaxf(m, across[(r - 1) * ow + c]);
        if (r + 1 < h) m = fmaxf(m, across[(r + 1) * ow + c]);
        y[(size_t)blockIdx.x * oh * ow + i] = m;
    }
}

torch::Tensor forward(torch::Tensor x) {
    const int n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
    const int oh = (h - 1) / 2 + 1, ow = (w - 1) / 2 + 1;
    auto y = torch::empty({n, c, oh, ow}, x.options());
    pool_plane<<<n * c, 192, h * ow * sizeof(float)>>>(x.data_ptr<float>(), y.data_ptr<float>(), h, w, oh, ow);
    return y;
}
