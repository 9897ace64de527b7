// task: huber_loss
// Inline PTX red.global, a syncwarp tree in shared memory, and __syncthreads_count to choose a short cut where all differences are small.
#include <torch/extension.h>

__device__ __forceinline__ void red_add(float* address, float value) {
    asm volatile("red.global.add.f32 [%0], %1;" ::"l"(address), "f"(value) : "memory");
}

__global__ void huber_votes(const float* x, const float* y, float* loss, int n) {
    __shared__ float tree[4][32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    float sum = 0.f;
    for (int base = blockIdx.x * blockDim.x; base < n; base += gridDim.x * blockDim.x) {
        const int i = base + threadIdx.x;
        const float d = i < n ? fabsf(x[i] - y[i]) : 0.f;
        const int large = __syncthreads_count(d >= 1.f);
        if (large == 0)
            sum += 0.5f * d * d;
        else
            sum += d < 1.f ? 0.5f * d * d : d - 0.5f;
    }
    tree[warp][lane] = sum;
    __syncwarp();
    for (int w = 16; w > 0; w >>= 1) {
        if (lane < w) tree[warp][lane] += tree[warp][lane + w];
        __syncwarp();
    }
    __syncthreads();
    if (threadIdx.x == 0) red_add(loss, (tree[0][0] + tree[1][0] + tree[2][0] + tree[3][0]) / n);
}

torch::Tensor forward(torch::Tensor x, torch::Tensor y) {
    AT_ASSERTM(x.sizes() == y.sizes(), "shapes differ");
    torch::Tensor loss = at::zeros({}, x.options());
    const int n = c10::multiply_integers(x.sizes());
    huber_votes<<<at::ceil_div(n, 512), 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), loss.data_ptr<float>(), n);
    return loss;
}
