/** llm.c, dev/cuda: the kernels of attention, forward and backward. Heads lie in the order (batch, head, time). */
import { type Buffer, blocksFor, type FileDrives, type LaunchOptions, type Rig, type Size, sum, table } from './rig.ts';

type Drives = FileDrives['drives'];

const [B, T, HEADS, SIZE] = [2, 32, 2, 16];
const C = HEADS * SIZE;
const SCALE = 1 / Math.sqrt(SIZE);
const SCORES = B * HEADS * T * T;

/** Where element `s` of query, key or value (0, 1, 2) lies in the packed input (batch, time, 3, head, size). */
const packed = (b: number, t: number, which: number, h: number, s: number): number =>
  (((b * T + t) * 3 + which) * HEADS + h) * SIZE + s;

/** Scaled causal scores, their softmax, and the attended values, in float64. */
function attention(x: Float32Array): { scores: Float64Array; weights: Float64Array; out: Float64Array } {
  const [scores, weights] = [new Float64Array(SCORES), new Float64Array(SCORES)];
  for (let row = 0; row < B * HEADS * T; row++) {
    const [t, h, b] = [row % T, Math.floor(row / T) % HEADS, Math.floor(row / (T * HEADS))];
    for (let u = 0; u <= t; u++)
      scores[row * T + u] = SCALE * sum(SIZE, (s) => x[packed(b, t, 0, h, s)]! * x[packed(b, u, 1, h, s)]!);
    weights.set(causalSoftmax(scores.subarray(row * T, row * T + t + 1)), row * T);
  }
  const out = table(B * T * C, (i) => {
    const [s, h, t] = [i % SIZE, Math.floor(i / SIZE) % HEADS, Math.floor(i / C) % T];
    const b = Math.floor(i / (C * T));
    const row = (b * HEADS + h) * T + t;
    return sum(t + 1, (u) => weights[row * T + u]! * x[packed(b, u, 2, h, s)]!);
  });
  return { scores, weights, out };
}

function causalSoftmax(scores: Float64Array): Float64Array {
  const most = Math.max(...scores);
  const total = scores.reduce((all, each) => all + Math.exp(each - most), 0);
  return scores.map((each) => Math.exp(each - most) / total);
}

/** The lower triangles only. */
const lower = (values: ArrayLike<number>): Float64Array =>
  table(values.length, (i) => (i % T <= Math.floor(i / T) % T ? values[i]! : 0));

/** Query, key or value as (batch, head, time, size). */
const split = (x: Float32Array, which: number): Float32Array =>
  Float32Array.from({ length: B * T * C }, (_, i) => {
    const [s, t, h] = [i % SIZE, Math.floor(i / SIZE) % T, Math.floor(i / (SIZE * T)) % HEADS];
    return x[packed(Math.floor(i / (SIZE * T * HEADS)), t, which, h, s)]!;
  });

/** (batch, head, time, size) to (batch, time, head, size). */
const together = (x: Float32Array): Float32Array =>
  Float32Array.from({ length: x.length }, (_, i) => {
    const [s, h, t] = [i % SIZE, Math.floor(i / SIZE) % HEADS, Math.floor(i / C) % T];
    return x[((Math.floor(i / (C * T)) * HEADS + h) * T + t) * SIZE + s]!;
  });

const close = { relative: 1e-4, absolute: 1e-5 };

const permutation: Drives = {
  permute_kernel(rig) {
    const x = rig.random(B * T * 3 * C);
    const outputs = [0, 1, 2].map(() => rig.room(4 * B * T * C));
    rig.launch('permute_kernel', blocksFor(B * T * C, 256), 256, [...outputs, rig.give(x), B, T, HEADS, SIZE]);
    for (const [which, each] of outputs.entries()) rig.same('qkv'[which]!, rig.f32(each), split(x, which));
  },
};

const unpermutation: Drives = {
  unpermute_kernel(rig) {
    const x = rig.random(B * T * C);
    const out = rig.room(4 * B * T * C);
    rig.launch('unpermute_kernel', blocksFor(B * T * C, 256), 256, [rig.give(x), out, B, T, HEADS, SIZE]);
    rig.same('out', rig.f32(out), together(x));
  },
};

const causal: Drives = {
  softmax_forward_kernel5(rig) {
    const x = rig.random(B * T * 3 * C, -2, 2);
    const { scores, weights } = attention(x);
    const out = rig.zeros(4 * SCORES);
    const unscaled = rig.give(Float32Array.from(scores, (each) => each / SCALE));
    rig.launch('softmax_forward_kernel5', blocksFor(SCORES / T, 8), 256, [out, SCALE, unscaled, B * HEADS, T]);
    rig.close('weights', rig.f32(out), weights, close);
  },
};

const forward: Drives = {
  'attention_query_key_kernel1, attention_softmax_kernel1, attention_value_kernel1'(rig) {
    const x = rig.random(B * T * 3 * C, -2, 2);
    const expected = attention(x);
    const [scores, weights, out, input] = [
      rig.room(4 * SCORES),
      rig.room(4 * SCORES),
      rig.room(4 * B * T * C),
      rig.give(x),
    ];
    rig.launch('attention_query_key_kernel1', blocksFor(SCORES, 256), 256, [scores, input, B, T, C, HEADS]);
    rig.close('scores', lower(rig.f32(scores)), expected.scores, close);
    rig.launch('attention_softmax_kernel1', blocksFor(B * T * HEADS, 256), 256, [weights, scores, B, T, HEADS]);
    rig.close('weights', rig.f32(weights), expected.weights, close);
    rig.launch('attention_value_kernel1', blocksFor(B * T * HEADS, 256), 256, [out, weights, input, B, T, C, HEADS]);
    rig.close('out', rig.f32(out), expected.out, close);
  },
  attention_forward_kernel2(rig) {
    const x = rig.random(B * T * 3 * C, -2, 2);
    const qkv = [0, 1, 2].map((which) => rig.give(split(x, which)));
    // The kernel multiplies what was in the output by zero before it has written it: it must start as numbers.
    const [sums, most, out] = [rig.zeros(4 * SCORES), rig.room(4 * SCORES), rig.zeros(4 * B * T * C)];
    rig.gpu.write(most.pointer, new Uint8Array(new Float32Array(SCORES).fill(-10000).buffer));
    const shared = 4 * (3 * 32 * SIZE + 32 * 32);
    const args = [...qkv, T, SIZE, T / 32, T / 32, 32, 32, SCALE, sums, most, out];
    rig.launch('attention_forward_kernel2', [B, HEADS], 32, args, { shared });
    rig.close('out', together(rig.f32(out)), attention(x).out, close);
  },
  scale_kernel(rig) {
    const x = rig.random(SCORES);
    const buffer = rig.give(x);
    rig.launch('scale_kernel', blocksFor(SCORES, 256), 256, [buffer, SCALE, B, HEADS, T]);
    const got = rig.f32(buffer);
    rig.close('scores', lower(got), lower(x.map((each) => each * SCALE)));
    const above = got.filter((_, i) => i % T > Math.floor(i / T) % T);
    rig.same(
      'above the diagonal',
      above,
      above.map(() => Number.NEGATIVE_INFINITY),
    );
  },
  softmax_forward_kernel4(rig) {
    const x = rig.random(B * T * 3 * C, -2, 2);
    const { scores, weights } = attention(x);
    const masked = Float32Array.from(scores, (each, i) => (i % T <= Math.floor(i / T) % T ? each : -Infinity));
    const out = rig.room(4 * SCORES);
    const rows = SCORES / T;
    rig.launch('softmax_forward_kernel4', rows, 64, [out, rig.give(masked), rows, T], { shared: 16 });
    rig.close('weights', rig.f32(out), weights, close);
  },
  attention_forward_fused1(rig) {
    const x = rig.random(B * T * 3 * C, -2, 2);
    const [scores, weights, out] = [rig.room(4 * SCORES), rig.room(4 * SCORES), rig.room(4 * B * T * C)];
    const args = [out, scores, weights, rig.give(x), B, T, C, HEADS];
    rig.launch('attention_forward_fused1', blocksFor(B * T * HEADS * 32, 64), 64, args);
    rig.close('out', rig.f32(out), attention(x).out, close);
  },
};

/** Scores' gradient from the gradient of the weights, by softmax's derivative. */
function softmaxBackward(name: string, grid: Size, block: Size, last: number, options: LaunchOptions = {}): Drives {
  return {
    [name]: (rig: Rig) => {
      const { weights } = attention(rig.random(B * T * 3 * C, -2, 2));
      const gradient = rig.random(SCORES);
      const out: Buffer = rig.zeros(4 * SCORES);
      const args = [out, rig.give(gradient), rig.give(Float32Array.from(weights)), B, T, C, last];
      rig.launch(name, grid, block, args, options);
      const dots = table(SCORES / T, (row) => sum(T, (u) => weights[row * T + u]! * gradient[row * T + u]!));
      const expected = table(SCORES, (i) => SCALE * weights[i]! * (gradient[i]! - dots[Math.floor(i / T)]!));
      rig.close('dpreatt', lower(rig.f32(out)), expected, close);
    },
  };
}

const backward: Drives = {
  ...softmaxBackward('softmax_autoregressive_backward_kernel1', 1, 64, HEADS),
  ...softmaxBackward('softmax_autoregressive_backward_kernel2', [1, B * HEADS], 64, HEADS),
  ...softmaxBackward('softmax_autoregressive_backward_kernel3', [blocksFor(32 * T, 64), B * HEADS], 64, HEADS),
  ...softmaxBackward('softmax_autoregressive_backward_kernel4', [blocksFor(4 * T, 64), B * HEADS], 64, HEADS),
  ...softmaxBackward('softmax_autoregressive_backward_kernel5', [blocksFor(4 * T, 64), B * HEADS], 64, HEADS),
  ...softmaxBackward('softmax_autoregressive_backward_kernel6', [T, B * HEADS], 32, HEADS, { instance: 'ILi32E' }),
  ...softmaxBackward('softmax_autoregressive_backward_kernel7', [T, B * HEADS], 64, SCALE, { instance: 'ILi64E' }),
  ...softmaxBackward('softmax_autoregressive_backward_kernel8', [T / 4, B * HEADS], 64, SCALE, { instance: 'ILi64E' }),
  permute_kernel_backward(rig) {
    const gradients = [0, 1, 2].map(() => rig.random(B * T * C));
    const out = rig.zeros(4 * 3 * B * T * C);
    const args = [out, ...gradients.map((each) => rig.give(each)), B, T, HEADS, SIZE];
    rig.launch('permute_kernel_backward', blocksFor(B * T * C, 256), 256, args);
    for (const [which, each] of gradients.entries()) rig.same('qkv'[which]!, split(rig.f32(out), which), each);
  },
  unpermute_kernel_backward(rig) {
    const gradient = rig.random(B * T * C);
    const out = rig.zeros(4 * B * T * C);
    const args = [out, rig.give(gradient), B, T, HEADS, SIZE];
    rig.launch('unpermute_kernel_backward', blocksFor(B * T * C, 256), 256, args);
    rig.same('dinp', together(rig.f32(out)), gradient);
  },
};

/** The lower triangle, in tiles of 128, of scaled products of queries and keys. */
function triangle(name: string): Drives {
  return {
    [`trimul_global<${name}>`]: (rig) => {
      const [rows, heads, size] = [256, 1, 32];
      const x = rig.random(rows * 3 * heads * size);
      const out = rig.room(4 * heads * rows * rows);
      const args = [out, rig.give(x), rows, heads * size, heads];
      rig.launch('trimul_global', [rows / 128, rows / 128, heads], [16, 16], args, {
        instance: `${name.length}${name}P`,
      });
      const got = rig.f32(out);
      const kept = got.filter((_, i) => i % rows <= Math.floor(i / rows));
      const expected = table(rows * rows, (i) => {
        const [t, u] = [Math.floor(i / rows), i % rows];
        if (u > t) return 0;
        return sum(size, (s) => x[t * 3 * size + s]! * x[(u * 3 + 1) * size + s]!) / Math.sqrt(size);
      });
      rig.close(
        'scores',
        kept,
        expected.filter((_, i) => i % rows <= Math.floor(i / rows)),
        { absolute: 1e-5 },
      );
    },
  };
}

export const LLMC_ATTENTION: readonly FileDrives[] = [
  {
    file: 'dev/cuda/attention_forward.cu',
    drives: { ...permutation, ...unpermutation, ...causal, ...forward },
    faults: {
      attention_forward_fused1: {
        finding: /^race: Race on global memory/,
        why: 'lanes read weights that others of the warp wrote, with no __syncwarp between',
      },
    },
  },
  {
    file: 'dev/cuda/attention_backward.cu',
    drives: { ...permutation, ...unpermutation, ...causal, ...backward },
    faults: {
      softmax_autoregressive_backward_kernel8: {
        finding: /^race: Race on shared memory/,
        why: 'the next row overwrites sums that slower warps have yet to read: a barrier is missing at the end of the loop',
      },
    },
  },
  {
    file: 'dev/cuda/trimat_forward.cu',
    drives: {
      ...permutation,
      ...triangle('matmul_tri_naive'),
      ...triangle('matmul_tri_registers'),
      ...triangle('matmul_tri3'),
      ...triangle('matmul_tri4'),
    },
  },
];
