// task: conv2d
// Winograd's F(2x2, 3x3): filters transformed into a workspace, then a thread a 2x2 tile of an output channel.
#include <torch/extension.h>

__global__ void transform_filters(const float* __restrict__ w, float* __restrict__ u, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const float* g = w + i * 9;
    float t[4][3];
    for (int c = 0; c < 3; ++c) {
        t[0][c] = g[c];
        t[1][c] = 0.5f * (g[c] + g[3 + c] + g[6 + c]);
        t[2][c] = 0.5f * (g[c] - g[3 + c] + g[6 + c]);
        t[3][c] = g[6 + c];
    }
    for (int r = 0; r < 4; ++r) {
        float* to = u + i * 16 + r * 4;
        to[0] = t[r][0];
        to[1] = 0.5f * (t[r][0] + t[r][1] + t[r][2]);
        to[2] = 0.5f * (t[r][0] - t[r][1] + t[r][2]);
        to[3] = t[r][2];
    }
}

__global__ void winograd(const float* __restrict__ x, const float* __restrict__ u, const float* __restrict__ bias, float* __restrict__ y,
                         int C, int H, int W, int K, int tilesY, int tilesX, int total) {
    const int id = blockIdx.x * blockDim.x + threadIdx.x;
    if (id >= total) return;
    const int tx = id % tilesX, ty = id / tilesX % tilesY, k = id / (tilesX * tilesY) % K, n = id / (tilesX * tilesY * K);
    float m[16] = {};
    for (int c = 0; c < C; ++c) {
        float d[4][4], b[4][4];
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const int yy = ty * 2 + i - 1, xx = tx * 2 + j - 1;
                d[i][j] = yy >= 0 && yy < H && xx >= 0 && xx < W ? x[((n * C + c) * H + yy) * W + xx] : 0.f;
            }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            b[0][j] = d[0][j] - d[2][j];
            b[1][j] = d[1][j] + d[2][j];
            b[2][j] = d[2][j] - d[1][j];
            b[3][j] = d[1][j] - d[3][j];
        }
        const float* f = u + (k * C + c) * 16;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            m[i * 4 + 0] += f[i * 4 + 0] * (b[i][0] - b[i][2]);
            m[i * 4 + 1] += f[i * 4 + 1] * (b[i][1] + b[i][2]);
            m[i * 4 + 2] += f[i * 4 + 2] * (b[i][2] - b[i][1]);
            m[i * 4 + 3] += f[i * 4 + 3] * (b[i][1] - b[i][3]);
        }
    }
    float s[2][4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        s[0][j] = m[j] + m[4 + j] + m[8 + j];
        s[1][j] = m[4 + j] - m[8 + j] - m[12 + j];
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const int yy = ty * 2 + i;
        const float out[2] = {s[i][0] + s[i][1] + s[i][2], s[i][1] - s[i][2] - s[i][3]};
        for (int j = 0; j < 2; ++j)
            if (yy < H && tx * 2 + j < W) y[((n * K + k) * H + yy) * W + tx * 2 + j] = out[j] + bias[k];
    }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    const int N = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), K = weight.size(0);
    auto u = torch::empty({K, C, 4, 4}, x.options());
    auto y = torch::empty({N, K, H, W}, x.options());
    const int tilesY = (H + 1) / 2, tilesX = (W + 1) / 2, total = N * K * tilesY * tilesX;
    transform_filters<<<(K * C + 63) / 64, 64>>>(weight.data_ptr<float>(), u.data_ptr<float>(), K * C);
    winograd<<<(total + 127) / 128, 128>>>(x.data_ptr<float>(), u.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), C, H, W, K, tilesY, tilesX, total);
    return y;
}
