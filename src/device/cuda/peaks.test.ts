/** Peaks that are measured beside those of the table: over the fake driver, whose copies and products take made-up times. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { gpuTarget } from '../../vgpu/index.ts';
import { buildFakeDriver, cCompiler } from './fake/build-fake.ts';
import { contradiction, measurePeaks } from './peaks.ts';

describe('the peaks of a GPU', () => {
  const h200 = gpuTarget('h200');
  it('are those of the table, or there is no floor', () => {
    const peaks = { copyBytesPerSecond: 4.2e12, fp16Flops: 700e12 };
    assert.equal(contradiction(h200, peaks), undefined);
    assert.equal(contradiction(h200, { copyBytesPerSecond: 4.2e12 }), undefined);
    assert.match(
      contradiction(h200, { ...peaks, copyBytesPerSecond: 6e12 })!,
      /moves 6000 GB\/s.*4800 GB\/s.*no floor/,
    );
    assert.match(contradiction(h200, { ...peaks, copyBytesPerSecond: 1.2e12 })!, /moves 1200 GB\/s/);
    assert.match(contradiction(h200, { ...peaks, fp16Flops: 2e15 })!, /does 2000 TFLOP\/s/);
  });
  const compiler = cCompiler();
  it('are measured', { skip: compiler ? false : 'there is no C compiler for the fake CUDA driver' }, async () => {
    const { library, remove } = await buildFakeDriver(compiler!);
    after(remove);
    const on = { gpu: 0, fake: { library, environment: { ASSAY_FAKE_L2_KIB: '16' } } };
    const peaks = await measurePeaks(on, { copyBytes: 2 ** 20, libraries: [library], side: 16 });
    // The fake copies 2000 bytes a nanosecond after a microsecond: 1.5 us for this, between what a window's ends add and noise.
    assert.ok(peaks.copyBytesPerSecond > 0.4e12 && peaks.copyBytesPerSecond < 2e12, String(peaks.copyBytesPerSecond));
    assert.ok(peaks.fp16Flops! > 0, 'a product was timed');
    const without = await measurePeaks(on, { copyBytes: 2 ** 20, libraries: ['/nonexistent/libcublas.so'], side: 16 });
    assert.equal(without.fp16Flops, undefined);
  });
});
