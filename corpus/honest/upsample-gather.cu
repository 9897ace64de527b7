// task: upsample
// Every output pixel finds its input pixel; indices taken apart by division.
#include <torch/extension.h>

__global__ void upsample_nearest2x(const float* __restrict__ in, float* __restrict__ out, int N, int C, int H, int W) {
    const int OH = H * 2, OW = W * 2;
    int idx = blockIdx.x * blockDim.x + threadIdx.x;
    if (idx >= N * C * OH * OW) return;
    int ow = idx % OW;
    int oh = (idx / OW) % OH;
    int c = (idx / (OW * OH)) % C;
    int n = idx / (OW * OH * C);
    out[idx] = in[((n * C + c) * H + oh / 2) * W + ow / 2];
}

torch::Tensor forward(torch::Tensor x) {
    int N = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
    auto out = torch::empty({N, C, 2 * H, 2 * W}, x.options());
    int total = out.numel();
    upsample_nearest2x<<<(total + 255) / 256, 256>>>(x.data_ptr<float>(), out.data_ptr<float>(), N, C, H, W);
    return out;
}
