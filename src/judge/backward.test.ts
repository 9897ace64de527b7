/** Hand-written gradients through the whole judge: right ones accepted, the usual mistakes rejected. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createVirtualDevice, defaultLimits } from '../device/index.ts';
import { findToolchain } from '../kernel/index.ts';
import { loadTask, type Task } from '../task/index.ts';
import { judge } from './judge.ts';
import { createOracle } from './task-oracle.ts';

const conv = `import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x))

def get_inputs():
    return [torch.randn(2, 2, 7, 9)]

def get_init_inputs():
    return []
`;

/** All three gradients of a 3x3 convolution of stride 2 and padding 1, and a ReLU: one thread a result. `gate` and `first` may be got wrong. */
const gradients = (gate = 'pre > 0.f ? g : 0.f', first = 'int n = 0') => `#include <torch/extension.h>
__device__ float tap(const float* x, int n, int c, int y, int z, int C, int H, int W) {
  return y < 0 || y >= H || z < 0 || z >= W ? 0.f : x[((n * C + c) * H + y) * W + z];
}
__global__ void gated(const float* dy, const float* x, const float* w, const float* b, float* d, int N, int C, int H, int W, int K, int P, int Q) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= N * K * P * Q) return;
  int q = i % Q, p = i / Q % P, k = i / (P * Q) % K, n = i / (K * P * Q);
  float pre = b[k];
  for (int c = 0; c < C; c++) for (int r = 0; r < 3; r++) for (int s = 0; s < 3; s++)
    pre += w[((k * C + c) * 3 + r) * 3 + s] * tap(x, n, c, 2 * p - 1 + r, 2 * q - 1 + s, C, H, W);
  float g = dy[i];
  d[i] = ${gate};
}
__global__ void image(const float* d, const float* w, float* dx, int N, int C, int H, int W, int K, int P, int Q) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= N * C * H * W) return;
  int z = i % W, y = i / W % H, c = i / (H * W) % C, n = i / (C * H * W);
  float sum = 0.f;
  for (int r = 0; r < 3; r++) for (int s = 0; s < 3; s++) {
    int a = y + 1 - r, e = z + 1 - s;
    if (a < 0 || e < 0 || a % 2 || e % 2 || a / 2 >= P || e / 2 >= Q) continue;
    for (int k = 0; k < K; k++) sum += d[((n * K + k) * P + a / 2) * Q + e / 2] * w[((k * C + c) * 3 + r) * 3 + s];
  }
  dx[i] = sum;
}
__global__ void weights(const float* d, const float* x, float* dw, float* db, int N, int C, int H, int W, int K, int P, int Q) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < K * C * 9) {
    int s = i % 3, r = i / 3 % 3, c = i / 9 % C, k = i / (9 * C);
    float sum = 0.f;
    for (${first}; n < N; n++) for (int p = 0; p < P; p++) for (int q = 0; q < Q; q++)
      sum += d[((n * K + k) * P + p) * Q + q] * tap(x, n, c, 2 * p - 1 + r, 2 * q - 1 + s, C, H, W);
    dw[i] = sum;
  }
  if (i < K) {
    float sum = 0.f;
    for (int n = 0; n < N; n++) for (int j = 0; j < P * Q; j++) sum += d[(n * K + i) * P * Q + j];
    db[i] = sum;
  }
}
std::vector<torch::Tensor> backward(torch::Tensor dy, torch::Tensor x, torch::Tensor w, torch::Tensor b) {
  const int N = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), K = dy.size(1), P = dy.size(2), Q = dy.size(3);
  auto d = torch::empty_like(dy);
  auto dx = torch::empty_like(x);
  auto dw = torch::empty_like(w);
  auto db = torch::empty_like(b);
  gated<<<(N * K * P * Q + 127) / 128, 128>>>(dy.data_ptr<float>(), x.data_ptr<float>(), w.data_ptr<float>(), b.data_ptr<float>(), d.data_ptr<float>(), N, C, H, W, K, P, Q);
  image<<<(N * C * H * W + 127) / 128, 128>>>(d.data_ptr<float>(), w.data_ptr<float>(), dx.data_ptr<float>(), N, C, H, W, K, P, Q);
  weights<<<(K * C * 9 + 63) / 64, 64>>>(d.data_ptr<float>(), x.data_ptr<float>(), dw.data_ptr<float>(), db.data_ptr<float>(), N, C, H, W, K, P, Q);
  return {dx, dw, db};
}
`;

const softmax = `import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=-1)

def get_inputs():
    return [torch.randn(5, 37)]

def get_init_inputs():
    return []
`;

/** Softmax in both directions in one file, exported; a warp a row. */
const bothDirections = `#include <torch/extension.h>
__device__ float warp_sum(float v) {
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffff, v, offset);
  return v;
}
__global__ void softmax_rows(const float* x, float* y, int columns) {
  x += blockIdx.x * columns;
  y += blockIdx.x * columns;
  float most = -INFINITY;
  for (int i = threadIdx.x; i < columns; i += 32) most = fmaxf(most, x[i]);
  for (int offset = 16; offset > 0; offset /= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, offset));
  float sum = 0.f;
  for (int i = threadIdx.x; i < columns; i += 32) sum += expf(x[i] - most);
  sum = warp_sum(sum);
  for (int i = threadIdx.x; i < columns; i += 32) y[i] = expf(x[i] - most) / sum;
}
__global__ void gradient_rows(const float* dy, const float* y, float* dx, int columns) {
  dy += blockIdx.x * columns;
  y += blockIdx.x * columns;
  float dot = 0.f;
  for (int i = threadIdx.x; i < columns; i += 32) dot += dy[i] * y[i];
  dot = warp_sum(dot);
  for (int i = threadIdx.x; i < columns; i += 32) dx[blockIdx.x * columns + i] = y[i] * (dy[i] - dot);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  softmax_rows<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
torch::Tensor backward(torch::Tensor grad_output, torch::Tensor x) {
  auto y = forward(x);
  auto dx = torch::empty_like(x);
  gradient_rows<<<x.size(0), 32>>>(grad_output.data_ptr<float>(), y.data_ptr<float>(), dx.data_ptr<float>(), x.size(1));
  return dx;
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &forward);
  m.def("backward", &backward);
}
`;

const whyNot = (await findToolchain()) === undefined && 'nvcc was not found';

describe('gradients by hand, judged', { skip: whyNot }, () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-backward-'));
  const device = createVirtualDevice({ gpu: 'h100' });
  let convTask: Task;
  before(async () => {
    convTask = await loadTask({ name: 'conv', source: conv }, { cacheDir, backward: true });
  });
  after(async () => {
    await device.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });
  const verdictOf = (task: Task, candidateSource: string) =>
    judge({
      ...{ task, candidateSource, device, cacheDir, oracle: createOracle(task) },
      ...{ gpu: 'h100', limits: defaultLimits },
    });

  test('a convolution with ReLU: gradients of the image, the weight and the bias', async () => {
    const verdict = await verdictOf(convTask, gradients());
    assert.equal(verdict.outcome, 'correct', verdict.reason);
  });

  test('a gradient that ignores the ReLU is wrong', async () => {
    const verdict = await verdictOf(convTask, gradients('g'));
    assert.equal(verdict.outcome, 'rejected', verdict.reason);
  });

  test("a weight's gradient without the first image is wrong", async () => {
    const verdict = await verdictOf(convTask, gradients(undefined, 'int n = 1'));
    assert.equal(verdict.outcome, 'rejected', verdict.reason);
  });

  test('one file with both directions is judged in each', async () => {
    for (const backward of [false, true]) {
      const task = await loadTask({ name: 'softmax', source: softmax }, { cacheDir, backward });
      const verdict = await verdictOf(task, bothDirections);
      assert.equal(verdict.outcome, 'correct', verdict.reason);
    }
  });

  test('a forward alone is no backward, and the sentence says so', async () => {
    const task = await loadTask({ name: 'softmax', source: softmax }, { cacheDir, backward: true });
    const forwardOnly = bothDirections.slice(0, bothDirections.indexOf('torch::Tensor backward'));
    const verdict = await verdictOf(task, forwardOnly);
    assert.equal(verdict.outcome, 'unjudgeable', verdict.reason);
    assert.match(verdict.reason, /a `forward` and no `backward`/);
  });
});
