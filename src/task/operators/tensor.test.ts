/** Bits, rounding and bytes of every element type, exhaustively for the halves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DType } from '../types.ts';
import {
  bfloat16Bits,
  bfloat16Value,
  decode,
  elementBytes,
  encode,
  equalTensors,
  float16Bits,
  float16Value,
  hostTensor,
  newValues,
  rounderOf,
  roundFloat16,
  roundTf32,
} from './tensor.ts';

describe('float16 and bfloat16', () => {
  it('convert every bit pattern there and back', () => {
    for (let bits = 0; bits < 65536; bits++) {
      for (const [value, back] of [
        [float16Value(bits), float16Bits],
        [bfloat16Value(bits), bfloat16Bits],
      ] as const) {
        if (!Number.isNaN(value)) assert.equal(back(value), bits);
      }
    }
  });

  it('round to nearest, ties to even, between every two neighbours', () => {
    for (const [value, toBits, infinity] of [
      [float16Value, float16Bits, 0x7c00],
      [bfloat16Value, bfloat16Bits, 0x7f80],
    ] as const) {
      for (let bits = 0; bits < infinity - 1; bits++) {
        const [low, high] = [value(bits), value(bits + 1)];
        const middle = (low + high) / 2;
        assert.equal(toBits(middle), bits % 2 === 0 ? bits : bits + 1);
        assert.equal(toBits(middle + (high - low) * 1e-6), bits + 1);
        assert.equal(toBits(middle - (high - low) * 1e-6), bits);
        assert.equal(toBits(-middle), 0x8000 | (bits % 2 === 0 ? bits : bits + 1));
      }
    }
  });

  it('overflow to infinity from half a unit above the greatest value', () => {
    assert.equal(roundFloat16(65519.99), 65504);
    assert.equal(roundFloat16(65520), Infinity);
    assert.equal(float16Bits(-1e9), 0xfc00);
    assert.equal(rounderOf('bfloat16')(3.4e38), Infinity);
    assert.ok(Number.isNaN(roundFloat16(Number.NaN)));
    assert.ok(Object.is(roundFloat16(-0), -0));
  });

  it('tf32 keeps ten fraction bits', () => {
    assert.equal(roundTf32(1 + 2 ** -10), 1 + 2 ** -10);
    assert.equal(roundTf32(1 + 2 ** -11), 1);
    assert.equal(roundTf32(1 + 3 * 2 ** -11), 1 + 2 ** -9);
  });
});

describe('bytes', () => {
  const dtypes = Object.keys(elementBytes) as DType[];

  it('come back as the tensor they were made of, from any offset', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...dtypes),
        fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 9 }),
        fc.nat(7),
        (dtype, values, shift) => {
          const tensor = hostTensor([values.length], dtype, values);
          const bytes = encode(tensor);
          assert.equal(bytes.length, values.length * elementBytes[dtype]);
          const shifted = new Uint8Array(bytes.length + shift);
          shifted.set(bytes, shift);
          assert.ok(equalTensors(decode(shifted.subarray(shift), tensor.spec), tensor));
        },
      ),
    );
  });

  it('are little-endian', () => {
    assert.deepEqual([...encode(hostTensor([1], 'float32', [1]))], [0, 0, 0x80, 0x3f]);
    assert.deepEqual([...encode(hostTensor([1], 'int64', [-2]))], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert.deepEqual([...encode(hostTensor([1], 'int64', [2 ** 40 + 5]))], [5, 0, 0, 0, 0, 1, 0, 0]);
    assert.deepEqual([...encode(hostTensor([2], 'bool', [7, 0]))], [1, 0]);
  });

  it('of the wrong number, or an integer beyond 2^53, are refused', () => {
    assert.throws(() => decode(new Uint8Array(3), { shape: [1], dtype: 'float32' }), /takes 4 bytes, not 3/);
    assert.throws(() => decode(new Uint8Array(8).fill(0x7f), { shape: [1], dtype: 'int64' }), /beyond 2\^53/);
    assert.throws(() => hostTensor([1], 'int64', [2 ** 60]), /beyond 2\^53/);
    assert.throws(() => hostTensor([2], 'float32', [1]), /needs 2 values, not 1/);
  });

  it('of integers wrap as a machine wraps', () => {
    assert.deepEqual(
      [...hostTensor([3], 'int32', [2 ** 31, -(2 ** 31) - 1, 2 ** 32 + 7]).values],
      [-(2 ** 31), 2 ** 31 - 1, 7],
    );
    assert.deepEqual([...hostTensor([2], 'uint8', [256, -1]).values], [0, 255]);
    assert.deepEqual([...hostTensor([2], 'int8', [128, -129]).values], [-128, 127]);
    assert.deepEqual([...hostTensor([2], 'int16', [32768, 1.9]).values], [-32768, 1]);
  });
});

describe('room for values', () => {
  it('more than a process can have is a sentence, not a crash', () => {
    assert.equal(newValues([2, 3]).length, 6);
    assert.throws(() => newValues([1 << 20, 1 << 20]), /shape \[1048576, 1048576\] takes 8796\.1 GB.*--scale/);
  });
});
