// task: l2_normalise
// Cooperative groups: tiles of eight threads, a row each, 16 rows a block; rsqrtf of the reduced squares.
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

using namespace cooperative_groups;

constexpr unsigned kTile = 8;

__global__ void normalise_rows(const float *__restrict__ x, float *__restrict__ y, unsigned rows, unsigned columns)
{
    auto tile = tiled_partition<kTile>(this_thread_block());
    const unsigned row = blockIdx.x * tile.meta_group_size() + tile.meta_group_rank();
    if (row >= rows)
        return;

    float squares = 0;
    for (unsigned c = tile.thread_rank(); c < columns; c += tile.num_threads())
    {
        const float v = x[row * columns + c];
        squares += v * v;
    }
    const float scale = rsqrtf(reduce(tile, squares, plus<float>()));

    for (unsigned c = tile.thread_rank(); c < columns; c += tile.num_threads())
        y[row * columns + c] = x[row * columns + c] * scale;
}

torch::Tensor l2_normalise(torch::Tensor x)
{
    const unsigned rows = x.size(0), columns = x.size(1);
    auto y = torch::empty_like(x, x.options());
    const unsigned rows_a_block = 128 / kTile;
    normalise_rows<<<(rows + rows_a_block - 1) / rows_a_block, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, columns);
    return y;
}
