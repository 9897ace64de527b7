import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Affine,
  broadcastStrides,
  coalesce,
  commonRefinement,
  contiguousStrides,
  isContiguous,
  product,
  refineAffine,
  reshapeStrides,
} from './strides.ts';

/** Every index that a walk over a shape reaches, in row-major order: the meaning of strides, written plainly. */
function walk(shape: readonly number[], access: Affine): number[] {
  let indices = [access.offset];
  shape.forEach((size, d) => {
    indices = indices.flatMap((index) => Array.from({ length: size }, (_, c) => index + c * access.strides[d]!));
  });
  return indices;
}

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 0, maxLength: 4 });
const strided = shapes.chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    strides: fc.array(fc.integer({ min: -6, max: 12 }), { minLength: shape.length, maxLength: shape.length }),
    offset: fc.integer({ min: 0, max: 9 }),
  }),
);

describe('strides', () => {
  it('reach 0, 1, 2, ... when contiguous, and only then', () => {
    fc.assert(
      fc.property(strided, ({ shape, strides, offset }) => {
        const own = { strides: contiguousStrides(shape), offset: 0 };
        assert.deepEqual(
          walk(shape, own),
          Array.from({ length: product(shape) }, (_, i) => i),
        );
        const inOrder = walk(shape, { strides, offset }).every((index, i) => index === i);
        assert.equal(isContiguous(shape, { strides, offset }), inOrder);
      }),
    );
  });

  it('repeat elements when broadcast', () => {
    assert.deepEqual(broadcastStrides([3, 1], [1, 1], [2, 3, 4]), [0, 1, 0]);
    assert.deepEqual(broadcastStrides([], [], [2]), [0]);
  });

  it('are kept by a reshape that needs no copy, and a copy is asked for only where none exist', () => {
    // A transposed matrix cannot be flattened; its rows can be split.
    assert.equal(reshapeStrides([4, 6], [1, 4], [24]), undefined);
    assert.deepEqual(reshapeStrides([4, 6], [1, 4], [2, 2, 6]), [2, 1, 4]);
    fc.assert(
      fc.property(strided, shapes, ({ shape, strides }, cut) => {
        const count = product(shape);
        const target = count % product(cut) === 0 ? [...cut, count / product(cut)] : [count];
        const made = reshapeStrides(shape, strides, target);
        if (made) assert.deepEqual(walk(target, { strides: made, offset: 0 }), walk(shape, { strides, offset: 0 }));
        const contiguous = reshapeStrides(shape, contiguousStrides(shape), target);
        assert.ok(contiguous, 'a contiguous tensor takes any shape');
      }),
    );
  });

  it('mean the same over a refinement', () => {
    assert.deepEqual(
      commonRefinement([
        [4, 6],
        [2, 12],
      ]),
      [2, 2, 6],
    );
    assert.equal(
      commonRefinement([
        [2, 3],
        [3, 2],
      ]),
      undefined,
    );
    fc.assert(
      fc.property(
        strided,
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
        ({ shape, strides, offset }, factors) => {
          const finer = shape.flatMap((size, d) =>
            factors[d] && size % factors[d]! === 0 ? [factors[d]!, size / factors[d]!] : [size],
          );
          const refined = commonRefinement([shape, finer]);
          assert.ok(refined);
          assert.deepEqual(
            walk(refined, refineAffine(shape, { strides, offset }, refined)),
            walk(shape, { strides, offset }),
          );
        },
      ),
    );
  });

  it('mean the same after neighbouring dimensions are merged', () => {
    fc.assert(
      fc.property(strided, ({ shape, strides, offset }) => {
        const accesses = [
          { strides, offset },
          { strides: contiguousStrides(shape), offset: 0 },
        ];
        const merged = coalesce(shape, accesses);
        merged.accesses.forEach((access, k) => {
          assert.deepEqual(walk(merged.sizes, access), walk(shape, accesses[k]!));
        });
      }),
    );
  });
});
