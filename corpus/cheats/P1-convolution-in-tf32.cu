// task: conv2d
// expect: rejected by values
// A convolution whose operands have the digits of TF32, in a task of fp32.
#include <torch/extension.h>

__device__ __forceinline__ float shortened(float x) { return __int_as_float(__float_as_int(x) & 0xffffe000); }

__global__ void conv2d_kernel(const float* x, const float* w, const float* bias, float* y, int C, int H, int W, int K, int total) {
    const int id = blockIdx.x * blockDim.x + threadIdx.x;
    if (id >= total) return;
    const int column = id % W, row = id / W % H, k = id / (W * H) % K, n = id / (W * H * K);
    float sum = bias[k];
    for (int c = 0; c < C; ++c)
        for (int i = -1; i <= 1; ++i)
            for (int j = -1; j <= 1; ++j)
                if (row + i >= 0 && row + i < H && column + j >= 0 && column + j < W)
                    sum += shortened(x[((n * C + c) * H + row + i) * W + column + j]) * shortened(w[((k * C + c) * 3 + i + 1) * 3 + j + 1]);
    y[id] = sum;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    auto y = torch::empty({x.size(0), weight.size(0), x.size(2), x.size(3)}, x.options());
    const int total = y.numel();
    conv2d_kernel<<<(total + 255) / 256, 256>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(),
                                                (int)x.size(1), (int)x.size(2), (int)x.size(3), (int)weight.size(0), total);
    return y;
}
