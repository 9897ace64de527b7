/** cuda-samples: signals and images, sorting, finance. */
import { blocksFor, type FileDrives, type Rig, sum, table } from './rig.ts';

type Drives = FileDrives['drives'];

const techniques = 'Samples/2_Concepts_and_Techniques';

const vectorAdd: Drives = {
  vectorAdd(rig) {
    const [a, b] = [rig.random(5000), rig.random(5000)];
    const out = rig.room(4 * 5000);
    rig.launch('vectorAdd', blocksFor(5000, 256), 256, [rig.give(a), rig.give(b), out, 5000]);
    rig.close(
      'C',
      rig.f32(out),
      a.map((each, i) => each + b[i]!),
    );
  },
};

function counts(values: Iterable<number>, bins: number): Uint32Array {
  const out = new Uint32Array(bins);
  for (const value of values) out[value]!++;
  return out;
}

const histogram64: Drives = {
  'histogram64Kernel, mergeHistogram64Kernel'(rig) {
    const x = Uint8Array.from(rig.integers(16000, 0, 256));
    const [partial, out] = [rig.room(4 * 64 * 3), rig.room(4 * 64)];
    rig.launch('histogram64Kernel', 3, 64, [partial, rig.give(x), x.length / 16]);
    rig.launch('mergeHistogram64Kernel', 64, 256, [out, partial, 3]);
    rig.same(
      'histogram',
      rig.u32(out),
      counts(
        x.map((each) => each >> 2),
        64,
      ),
    );
  },
};

const histogram256: Drives = {
  'histogram256Kernel, mergeHistogram256Kernel'(rig) {
    const x = Uint8Array.from(rig.integers(16000, 0, 256));
    const [partial, out] = [rig.room(4 * 256 * 3), rig.room(4 * 256)];
    rig.launch('histogram256Kernel', 3, 192, [partial, rig.give(x), x.length / 4]);
    rig.launch('mergeHistogram256Kernel', 256, 256, [out, partial, 3]);
    rig.same('histogram', rig.u32(out), counts(x, 256));
  },
};

const SHARED_SIZE = 1024;

/** Sorts pairs and checks keys' order, and that each value still belongs to its key. */
function sorting(name: string, length: number, run: (rig: Rig, buffers: Buffers) => void, increasing = true): Drives {
  return {
    [name]: (rig: Rig) => {
      const keys = Uint32Array.from(rig.integers(4096, 0, 60000));
      const values = Uint32Array.from(keys.keys());
      const outputs = [rig.room(4 * keys.length), rig.room(4 * keys.length)] as const;
      run(rig, [...outputs, rig.give(keys), rig.give(values)]);
      const expected = new Uint32Array(keys.length);
      for (let at = 0; at < keys.length; at += length) {
        const part = keys.slice(at, at + length).sort();
        expected.set(increasing ? part : part.reverse(), at);
      }
      rig.same('keys', rig.u32(outputs[0]), expected);
      rig.same(
        'keys of the values',
        rig.u32(outputs[1]).map((i) => keys[i]!),
        expected,
      );
    },
  };
}

type Buffers = readonly ReturnType<Rig['room']>[];

const BLOCKS = 4096 / SHARED_SIZE;
const bitonic: Drives = {
  ...sorting('bitonicSortShared', 512, (rig, buffers) =>
    rig.launch('bitonicSortShared', BLOCKS, SHARED_SIZE / 2, [...buffers, 512, 1]),
  ),
  ...sorting('bitonicSortShared1, bitonicMergeGlobal, bitonicMergeShared', 4096, (rig, buffers) => {
    rig.launch('bitonicSortShared1', BLOCKS, SHARED_SIZE / 2, buffers);
    const [keys, values] = buffers;
    for (let size = 2 * SHARED_SIZE; size <= 4096; size *= 2) {
      let stride = size / 2;
      for (; stride >= SHARED_SIZE; stride /= 2)
        rig.launch('bitonicMergeGlobal', 8, 256, [keys!, values!, keys!, values!, 4096, size, stride, 1]);
      rig.launch('bitonicMergeShared', BLOCKS, SHARED_SIZE / 2, [keys!, values!, keys!, values!, 4096, size, 1]);
    }
  }),
};

const oddEven: Drives = sorting('oddEvenMergeSortShared, oddEvenMergeGlobal', 4096, (rig, buffers) => {
  rig.launch('oddEvenMergeSortShared', BLOCKS, SHARED_SIZE / 2, [...buffers, SHARED_SIZE, 1]);
  const [keys, values] = buffers;
  for (let size = 2 * SHARED_SIZE; size <= 4096; size *= 2)
    for (let stride = size / 2; stride > 0; stride /= 2)
      rig.launch('oddEvenMergeGlobal', 8, 256, [keys!, values!, keys!, values!, 4096, size, stride, 1]);
});

const mergeSort: Drives = sorting('mergeSortSharedKernel', SHARED_SIZE, (rig, buffers) =>
  rig.launch('mergeSortSharedKernel', BLOCKS, SHARED_SIZE / 2, [...buffers, SHARED_SIZE], { instance: 'ILj1E' }),
);

const mergeBitonic: Drives = sorting('bitonicSortSharedKernel', SHARED_SIZE, (rig, buffers) =>
  rig.launch('bitonicSortSharedKernel', BLOCKS, SHARED_SIZE / 2, [...buffers, SHARED_SIZE, 1]),
);

const RADIUS = 8;
const [WIDTH, HEIGHT] = [256, 128];

/** A row or column of the image with 17 weights; zero outside. */
function convolution(name: string, along: 'row' | 'column'): Drives {
  return {
    [name]: (rig: Rig) => {
      const [image, weights] = [rig.random(WIDTH * HEIGHT), rig.random(2 * RADIUS + 1)];
      const out = rig.room(4 * WIDTH * HEIGHT);
      rig.constant('c_Kernel', weights);
      const args = [out, rig.give(image), WIDTH, HEIGHT, WIDTH];
      if (along === 'row') rig.launch(name, [WIDTH / 128, HEIGHT / 4], [16, 4], args);
      else rig.launch(name, [WIDTH / 16, HEIGHT / 64], [16, 8], args);
      const pixel = (x: number, y: number): number =>
        x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT ? 0 : image[y * WIDTH + x]!;
      const expected = table(WIDTH * HEIGHT, (i) => {
        const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
        return sum(2 * RADIUS + 1, (k) => {
          const away = k - RADIUS;
          return weights[2 * RADIUS - k]! * (along === 'row' ? pixel(x + away, y) : pixel(x, y + away));
        });
      });
      rig.close('out', rig.f32(out), expected, { absolute: 1e-5 });
    },
  };
}

/** The orthonormal cosine transform of blocks of 8 x 8, and its inverse. */
const basis = (u: number, x: number): number =>
  (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16);

function cosines(name: string, inverse: boolean): Drives {
  return {
    [name]: (rig: Rig) => {
      const [width, height] = [64, 32];
      const image = rig.random(width * height, -128, 128);
      const out = rig.room(4 * image.length);
      rig.launch(name, [width / 32, height / 16], [8, 4, 2], [out, rig.give(image), width]);
      const expected = table(image.length, (i) => {
        const [x, y] = [i % width, Math.floor(i / width)];
        const [left, top] = [x - (x % 8), y - (y % 8)];
        const weight = (at: number, from: number): number => (inverse ? basis(from, at) : basis(at, from));
        return sum(64, (k) => {
          const [dx, dy] = [k % 8, Math.floor(k / 8)];
          return weight(x % 8, dx) * weight(y % 8, dy) * image[(top + dy) * width + left + dx]!;
        });
      });
      rig.close('out', rig.f32(out), expected, { absolute: 1e-3 });
    },
  };
}

const walsh: Drives = {
  'fwtBatch2Kernel, fwtBatch1Kernel'(rig) {
    const log2 = 12;
    const count = 2 ** log2;
    const x = rig.random(count);
    const data = rig.give(x);
    rig.launch('fwtBatch2Kernel', [count / 1024, 1], 256, [data, data, count / 4]);
    rig.launch('fwtBatch1Kernel', 4, count / 16, [data, data, log2 - 2], { shared: count });
    const sign = (bits: number): number => {
      let odd = 0;
      for (let rest = bits; rest > 0; rest &= rest - 1) odd ^= 1;
      return odd === 0 ? 1 : -1;
    };
    const signs = table(count, sign);
    const expected = table(count, (i) => sum(count, (j) => signs[i & j]! * x[j]!));
    rig.close('out', rig.f32(data), expected, { absolute: 1e-3 });
  },
  modulateKernel(rig) {
    const [a, b] = [rig.random(3000), rig.random(3000)];
    const data = rig.give(a);
    rig.launch('modulateKernel', 4, 256, [data, rig.give(b), 3000]);
    rig.close(
      'out',
      rig.f32(data),
      a.map((each, i) => (each * b[i]!) / 3000),
    );
  },
};

/** The normal distribution function, by the series of its density. */
function normal(x: number): number {
  let term = x;
  let total = x;
  for (let k = 3; Math.abs(term) > 1e-18; k += 2) {
    term *= (x * x) / k;
    total += term;
  }
  return 0.5 + (total * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

const blackScholes: Drives = {
  BlackScholesGPU(rig) {
    const count = 2000;
    const [price, strike, years] = [rig.random(count, 5, 30), rig.random(count, 1, 100), rig.random(count, 0.25, 10)];
    const [call, put] = [rig.room(4 * count), rig.room(4 * count)];
    const [rate, volatility] = [0.02, 0.3];
    const args = [call, put, rig.give(price), rig.give(strike), rig.give(years), rate, volatility, count];
    rig.launch('BlackScholesGPU', blocksFor(count / 2, 128), 128, args);
    const parts = (i: number): readonly [number, number, number] => {
      const spread = volatility * Math.sqrt(years[i]!);
      const d1 = (Math.log(price[i]! / strike[i]!) + (rate + volatility ** 2 / 2) * years[i]!) / spread;
      return [d1, d1 - spread, strike[i]! * Math.exp(-rate * years[i]!)];
    };
    const calls = table(count, (i) => {
      const [d1, d2, discounted] = parts(i);
      return price[i]! * normal(d1) - discounted * normal(d2);
    });
    // Put and call differ by the forward.
    const puts = table(count, (i) => calls[i]! + parts(i)[2] - price[i]!);
    rig.close('calls', rig.f32(call), calls, { relative: 1e-4, absolute: 1e-4 });
    rig.close('puts', rig.f32(put), puts, { relative: 1e-4, absolute: 1e-4 });
  },
};

export const SAMPLES_SIGNALS: readonly FileDrives[] = [
  { file: 'Samples/0_Introduction/vectorAdd/vectorAdd.cu', drives: vectorAdd },
  { file: `${techniques}/histogram/histogram64.cu`, drives: histogram64 },
  { file: `${techniques}/histogram/histogram256.cu`, drives: histogram256 },
  { file: `${techniques}/sortingNetworks/bitonicSort.cu`, drives: bitonic },
  { file: `${techniques}/sortingNetworks/oddEvenMergeSort.cu`, drives: oddEven },
  { file: 'Samples/0_Introduction/mergeSort/mergeSort.cu', drives: mergeSort },
  { file: 'Samples/0_Introduction/mergeSort/bitonic.cu', drives: mergeBitonic },
  {
    file: `${techniques}/convolutionSeparable/convolutionSeparable.cu`,
    drives: { ...convolution('convolutionRowsKernel', 'row'), ...convolution('convolutionColumnsKernel', 'column') },
  },
  {
    file: `${techniques}/dct8x8/dct8x8.cu`,
    drives: { ...cosines('CUDAkernel2DCT', false), ...cosines('CUDAkernel2IDCT', true) },
  },
  { file: 'Samples/5_Domain_Specific/fastWalshTransform/fastWalshTransform.cu', drives: walsh },
  { file: 'Samples/5_Domain_Specific/BlackScholes/BlackScholes.cu', drives: blackScholes },
];
