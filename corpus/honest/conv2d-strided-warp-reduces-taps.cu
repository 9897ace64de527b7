// task: conv2d_strided
// A warp an output: its lanes share out the taps of all channels and add them up by shuffles.
#include <torch/extension.h>

__global__ void conv_warp(const float* __restrict__ input, const float* __restrict__ weight, float* __restrict__ output,
                          int channels, int height, int width, int filters, int ksize, int stride, int out_h, int out_w, long long outputs) {
    const int lane = threadIdx.x & 31;
    const int taps = channels * ksize * ksize;
    const long long warps = (long long)gridDim.x * (blockDim.x >> 5);
    for (long long o = (long long)blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5); o < outputs; o += warps) {
        const int ox = o % out_w, oy = o / out_w % out_h, f = o / (out_w * out_h) % filters;
        const long long image = o / ((long long)out_w * out_h * filters);
        float sum = 0.f;
        for (int t = lane; t < taps; t += 32) {
            const int c = t / (ksize * ksize), r = t / ksize % ksize, s = t % ksize;
            sum = fmaf(input[((image * channels + c) * height + oy * stride + r) * width + ox * stride + s], weight[f * taps + t], sum);
        }
        sum += __shfl_down_sync(0xffffffff, sum, 16);
        sum += __shfl_down_sync(0xffffffff, sum, 8);
        sum += __shfl_down_sync(0xffffffff, sum, 4);
        sum += __shfl_down_sync(0xffffffff, sum, 2);
        sum += __shfl_down_sync(0xffffffff, sum, 1);
        if (lane == 0) output[o] = fmaxf(0.f, sum);
    }
}

torch::Tensor forward(const torch::Tensor x, const torch::Tensor w) {
    const int stride = 2, ksize = w.size(3);
    const int out_h = (x.size(2) - ksize) / stride + 1, out_w = (x.size(3) - ksize) / stride + 1;
    auto y = torch::empty({x.size(0), w.size(0), out_h, out_w}, x.options());
    const long long outputs = y.numel();
    const int blocks = (int)std::min<long long>((outputs + 7) / 8, 128);
    conv_warp<<<blocks, 256>>>(x.data_ptr<float>(), w.data_ptr<float>(), y.data_ptr<float>(), (int)x.size(1), (int)x.size(2), (int)x.size(3),
                               (int)w.size(0), ksize, stride, out_h, out_w, outputs);
    return y;
}
