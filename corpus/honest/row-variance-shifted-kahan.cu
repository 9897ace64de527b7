// task: row_variance
// One thread a row: data shifted by the row's first element, two compensated sums in a single pass.
#include <torch/extension.h>

struct Kahan {
    float sum = 0.0f, carry = 0.0f;
    __device__ void add(float v) {
        const float y = __fsub_rn(v, carry);
        const float t = __fadd_rn(sum, y);
        carry = __fsub_rn(__fsub_rn(t, sum), y);
        sum = t;
    }
};

__global__ void variance_by_thread(const float* x, float* out, int rows, int cols) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    const float* p = x + row * cols;
    // The mean of a few elements is near enough to keep the squares small.
    float shift = 0.0f;
    const int few = min(cols, 16);
    for (int i = 0; i < few; ++i) shift += p[i];
    shift /= few;
    Kahan first, second;
    for (int i = 0; i < cols; ++i) {
        const float d = p[i] - shift;
        first.add(d);
        second.add(d * d);
    }
    out[row] = (second.sum - first.sum * (first.sum / cols)) / (cols - 1);
}

torch::Tensor forward(torch::Tensor x) {
    const int rows = x.size(0), cols = x.size(1);
    auto out = torch::empty({rows}, x.options());
    variance_by_thread<<<(rows + 63) / 64, 64>>>(x.data_ptr<float>(), out.data_ptr<float>(), rows, cols);
    return out;
}
