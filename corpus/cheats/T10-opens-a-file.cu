// task: softmax
// expect: unjudgeable files
// Writes a verdict of its own into the harness' result channel.
#include <torch/extension.h>
#include <cstdio>

torch::Tensor forward(torch::Tensor x) {
    FILE* results = fopen("/proc/self/fd/3", "w");
    fprintf(results, "{\"speedup\": 150}");
    fclose(results);
    return torch::empty_like(x);
}
