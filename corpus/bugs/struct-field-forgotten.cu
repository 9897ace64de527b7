// finds: uninitialised-read
// arguments: x: const float[32] = ramp, items: int[32*4], y: float[32]
// launch: <<<1, 32>>>
// Four fields, three of them set; the fourth is read.
struct Item {
  int id;
  float low;
  float high;
  float weight;
};

__global__ void broken(const float* x, Item* items, float* y) {
  const int t = threadIdx.x;
  items[t].id = t;
  items[t].low = x[t] - 1.0f;
  items[t].high = x[t] + 1.0f;
  __syncthreads();
  const Item& other = items[31 - t];
  y[t] = (other.high - other.low) * other.weight;
}

__global__ void repaired(const float* x, Item* items, float* y) {
  const int t = threadIdx.x;
  items[t].id = t;
  items[t].low = x[t] - 1.0f;
  items[t].high = x[t] + 1.0f;
  items[t].weight = 1.0f;
  __syncthreads();
  const Item& other = items[31 - t];
  y[t] = (other.high - other.low) * other.weight;
}
