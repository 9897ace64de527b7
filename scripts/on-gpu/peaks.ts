/** The table's peaks beside a copy of ours and a product of cuBLAS's on this GPU. */
import { contradiction, cublasFiles, measurePeaks } from '../../src/device/index.ts';
import { pythonWithTorch } from '../../src/task/index.ts';
import type { Place, Stage } from './place.ts';

const COPY_BYTES = 2 ** 30;

/** Files of cuBLAS on this machine; the fake driver's own where that is used. */
export function librariesOf({ fake }: Place): string[] {
  if (fake) return [fake.library];
  const python = pythonWithTorch();
  return cublasFiles('folders' in python ? python.folders : []);
}

export const peaksStage: Stage = {
  name: 'peaks',
  purpose: "the table's bandwidth and rates beside a copy and a product measured here",
  run: async (place) => {
    const { gpu, fake, target, simulated } = place;
    const sizes = simulated ? { copyBytes: 2 ** 16, side: 16 } : { copyBytes: COPY_BYTES };
    const peaks = await measurePeaks({ gpu, fake }, { ...sizes, libraries: librariesOf(place) });
    const against = contradiction(target, peaks);
    const { copyBytesPerSecond: copy, fp16Flops } = peaks;
    const percent = (part: number) => `${(100 * part).toFixed(0)} % of the table's`;
    const words = [
      `copy ${(copy / 1e9).toFixed(0)} GB/s, ${percent(copy / target.memoryBandwidth)}`,
      fp16Flops === undefined
        ? 'no cuBLAS for a product'
        : `half-precision product ${(fp16Flops / 1e12).toPrecision(3)} TFLOP/s, ${percent(fp16Flops / target.flops.fp16)}`,
      ...(against ? [against] : []),
    ];
    // Simulated clocks know nothing of the table.
    return { passed: simulated || against === undefined, content: { peaks, against }, words: words.join('\n') };
  },
};
