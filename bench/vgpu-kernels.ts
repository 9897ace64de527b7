/** The benchmark's kernels in CUDA, and the same computations as plain C++ loops that time themselves. */

export const CUDA = `
extern "C" __global__ void saxpy(int n, float a, const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
extern "C" __global__ void sgemm16(const float* A, const float* B, float* C, int N) {
  __shared__ float As[16][16], Bs[16][16];
  int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * 16 + ty, col = blockIdx.x * 16 + tx;
  float sum = 0;
  for (int k = 0; k < N; k += 16) {
    As[ty][tx] = A[row * N + k + tx];
    Bs[ty][tx] = B[(k + ty) * N + col];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 16; i++) sum += As[ty][i] * Bs[i][tx];
    __syncthreads();
  }
  C[row * N + col] = sum;
}
// 64 x 64 of C a block, 4 x 4 a thread.
extern "C" __global__ void sgemm64(const float* A, const float* B, float* C, int N) {
  __shared__ float As[16][64], Bs[16][64];
  int tx = threadIdx.x, ty = threadIdx.y, t = ty * 16 + tx;
  const float* a = A + (size_t)blockIdx.y * 64 * N;
  const float* b = B + blockIdx.x * 64;
  float acc[4][4] = {};
  for (int k = 0; k < N; k += 16) {
    int r = t / 4, c = (t % 4) * 4;
    float4 v = *(const float4*)(a + (size_t)r * N + k + c);
    As[c][r] = v.x; As[c + 1][r] = v.y; As[c + 2][r] = v.z; As[c + 3][r] = v.w;
    *(float4*)&Bs[t / 16][(t % 16) * 4] = *(const float4*)(b + (size_t)(k + t / 16) * N + (t % 16) * 4);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 16; i++) {
      float4 x = *(float4*)&As[i][ty * 4], y = *(float4*)&Bs[i][tx * 4];
      float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
      for (int m = 0; m < 4; m++)
#pragma unroll
        for (int n = 0; n < 4; n++) acc[m][n] += xs[m] * ys[n];
    }
    __syncthreads();
  }
  for (int m = 0; m < 4; m++)
    *(float4*)(C + (size_t)(blockIdx.y * 64 + ty * 4 + m) * N + blockIdx.x * 64 + tx * 4) =
        make_float4(acc[m][0], acc[m][1], acc[m][2], acc[m][3]);
}
extern "C" __global__ void reduce(const float* x, float* out, int n) {
  float s = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) s += x[i];
  for (int d = 16; d; d >>= 1) s += __shfl_down_sync(~0u, s, d);
  __shared__ float w[32];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  if (lane == 0) w[warp] = s;
  __syncthreads();
  if (warp == 0) {
    s = lane < (blockDim.x >> 5) ? w[lane] : 0.f;
    for (int d = 16; d; d >>= 1) s += __shfl_down_sync(~0u, s, d);
    if (lane == 0) out[blockIdx.x] = s;
  }
}
extern "C" __global__ void softmax(const float* x, float* y, int n) {
  __shared__ float sh[32];
  const float* r = x + (size_t)blockIdx.x * n;
  float m = -1e30f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) m = fmaxf(m, r[i]);
  for (int d = 16; d; d >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, d));
  if ((threadIdx.x & 31) == 0) sh[threadIdx.x >> 5] = m;
  __syncthreads();
  m = sh[0];
  for (int i = 1; i < blockDim.x / 32; i++) m = fmaxf(m, sh[i]);
  __syncthreads();
  float s = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) s += expf(r[i] - m);
  for (int d = 16; d; d >>= 1) s += __shfl_xor_sync(~0u, s, d);
  if ((threadIdx.x & 31) == 0) sh[threadIdx.x >> 5] = s;
  __syncthreads();
  s = 0;
  for (int i = 0; i < blockDim.x / 32; i++) s += sh[i];
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[(size_t)blockIdx.x * n + i] = expf(r[i] - m) / s;
}
extern "C" __global__ void mandel(int* out, int w, int h, int limit) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= w || y >= h) return;
  float cr = -2.f + 3.f * x / w, ci = -1.f + 2.f * y / h, zr = 0, zi = 0;
  int k = 0;
  while (k < limit && zr * zr + zi * zi < 4.f) {
    float t = zr * zr - zi * zi + cr;
    zi = 2 * zr * zi + ci;
    zr = t;
    k++;
  }
  out[y * w + x] = k;
}
`;

export const CPP = `
#include <cmath>
#include <cstdio>
#include <ctime>
#include <vector>
using std::vector;
static double now() { timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec * 1e3 + t.tv_nsec / 1e6; }
static volatile float sink;
template <class F> void timed(const char* name, F f) {
  double best = 1e30;
  for (int i = 0; i < 4; i++) { double t = now(); f(); t = now() - t; if (t < best) best = t; }
  printf("%s %f\\n", name, best);
}
int main() {
  const int n = 1 << 22, N = 512;
  vector<float> x(n, 0.5f), y(n, 0.25f), A(N * N, 0.5f), B(N * N, 0.25f), C(N * N), P(1 << 20);
  vector<int> O(1 << 20);
  timed("saxpy", [&] { for (int i = 0; i < n; i++) y[i] = 2 * x[i] + y[i]; sink = y[7]; });
  auto gemm = [&] {
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) C[i * N + j] = 0;
      for (int k = 0; k < N; k++) { float a = A[i * N + k]; for (int j = 0; j < N; j++) C[i * N + j] += a * B[k * N + j]; }
    }
    sink = C[7];
  };
  timed("sgemm16", gemm);
  timed("sgemm64", gemm);
  timed("reduce", [&] { float s[16] = {}; for (int i = 0; i < n; i += 16) for (int j = 0; j < 16; j++) s[j] += x[i + j]; float t = 0; for (float v : s) t += v; sink = t; });
  timed("softmax", [&] {
    for (int r = 0; r < 1024; r++) {
      const float* p = &x[r * 1024]; float m = -1e30f, s = 0;
      for (int i = 0; i < 1024; i++) m = fmaxf(m, p[i]);
      for (int i = 0; i < 1024; i++) { P[r * 1024 + i] = expf(p[i] - m); s += P[r * 1024 + i]; }
      for (int i = 0; i < 1024; i++) P[r * 1024 + i] /= s;
    }
    sink = P[7];
  });
  timed("mandel", [&] {
    for (int j = 0; j < 1024; j++) for (int i = 0; i < 1024; i++) {
      float cr = -2.f + 3.f * i / 1024, ci = -1.f + 2.f * j / 1024, zr = 0, zi = 0; int k = 0;
      while (k < 256 && zr * zr + zi * zi < 4.f) { float t = zr * zr - zi * zi + cr; zi = 2 * zr * zi + ci; zr = t; k++; }
      O[j * 1024 + i] = k;
    }
    sink = O[7];
  });
}
`;
