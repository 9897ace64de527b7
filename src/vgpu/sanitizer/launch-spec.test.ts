/** The launch language: what is read, what is refused and how; and the bytes that values become. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { initialBytes } from './fill.ts';
import { readHeader } from './header.ts';
import { type ArgumentSpec, parseArguments, parseLaunch } from './launch-spec.ts';

function only(text: string): ArgumentSpec {
  const [spec] = parseArguments(text);
  return spec!;
}

function bytesOf(text: string): Uint8Array {
  const spec = only(text);
  assert.equal(spec.kind, 'array');
  return initialBytes(spec as Extract<ArgumentSpec, { kind: 'array' }>, 1)!;
}

describe('launch shapes', () => {
  it('are numbers or tuples, with shared memory and a stream', () => {
    assert.deepEqual(parseLaunch('<<<2, 128>>>'), { grid: [2, 1, 1], block: [128, 1, 1], dynamicSharedBytes: 0 });
    assert.deepEqual(parseLaunch(' <<< (4,3), dim3(8, 8, 2), 2*128*4, 0 >>> '), {
      grid: [4, 3, 1],
      block: [8, 8, 2],
      dynamicSharedBytes: 1024,
    });
  });

  it('are refused with the place', () => {
    assert.throws(
      () => parseLaunch('2, 128'),
      /The launch cannot be understood: `<<<` was expected, at <-- here --> 2/,
    );
    assert.throws(() => parseLaunch('<<<2>>>'), /`,` was expected/);
    assert.throws(() => parseLaunch('<<<2, -1>>>'), /a whole number was expected/);
    assert.throws(() => parseLaunch('<<<1, 32>>> x'), /nothing more was expected/);
  });
});

describe('arguments', () => {
  it('are arrays, scalars, aliases and null', () => {
    assert.deepEqual(
      parseArguments('n: int = 8, x: const float[n, 2*n] = ramp, y: unsigned long long[n][3], v: @x + 4, b: null').map(
        (spec) => {
          const { name, kind } = spec;
          if (kind === 'array') return [name, spec.type.name, spec.count, spec.readOnly, spec.fill.kind];
          return kind === 'alias' ? [name, spec.of, spec.offset] : [name, kind];
        },
      ),
      [
        ['n', 'scalar'],
        ['x', 'float', 128, true, 'ramp'],
        ['y', 'unsigned long long', 24, false, 'uninitialised'],
        ['v', 'x', 4],
        ['b', 'null'],
      ],
    );
    assert.deepEqual(parseArguments(''), []);
  });

  it('are refused with a reason', () => {
    const refused: readonly [string, RegExp][] = [
      ['x float[2]', /`:` was expected/],
      ['x: floot[2]', /`floot` is not a type that can be used here/],
      ['x: float', /a scalar needs a value/],
      ['x: int[3] = {1, 2}', /the list has 2 values and the array 3/],
      ['x: int[n]', /`n` is neither a number, nor a scalar given before/],
      ['x: int[2], x: int = 1', /two arguments named x/],
      ['x: @y', /y is not an array named before x/],
      ['x: float[2] = random(3, 3)', /needs low < high/],
      ['x: float[2] = ramps', /`ramps` is neither/],
      ['x: float4 = 1', /cannot be passed by value/],
      ['x: char[4294967296]', /more than the virtual GPU's memory holds/],
    ];
    for (const [text, reason] of refused) assert.throws(() => parseArguments(text), reason, text);
  });

  it('become bytes as C++ would store them', () => {
    assert.deepEqual([...new Float32Array(bytesOf('x: float[3] = ramp').buffer)], [-1, 0, 1]);
    assert.deepEqual([...new Int32Array(bytesOf('x: int[4] = index').buffer)], [0, 1, 2, 3]);
    assert.deepEqual([...bytesOf('x: unsigned char[3] = {255, 256, -1}')], [255, 0, 255]);
    assert.deepEqual([...new BigUint64Array(bytesOf('x: size_t[1] = 0xffffffffffffffff').buffer)], [2n ** 64n - 1n]);
    assert.deepEqual([...new Uint16Array(bytesOf('x: half[3] = {1, -2, 65504}').buffer)], [0x3c00, 0xc000, 0x7bff]);
    assert.deepEqual([...new Uint16Array(bytesOf('x: bfloat16[2] = {1, -inf}').buffer)], [0x3f80, 0xff80]);
    assert.deepEqual(
      [...new Float32Array(bytesOf('x: float2[2] = {1, 2.5f, 3e-1, nan}').buffer)],
      [1, 2.5, Math.fround(0.3), Number.NaN],
    );
    const random = [...new Int32Array(bytesOf('x: int[500] = random(-3, 4)').buffer)];
    assert.deepEqual(
      [...new Set(random)].sort((a, b) => a - b),
      [-3, -2, -1, 0, 1, 2, 3],
    );
    assert.deepEqual(bytesOf('x: int[500] = random'), bytesOf('x: int[500] = random'));
  });
});

describe('headers', () => {
  const source = `// finds: race or deadlock
// arguments: x: int[2],
// arguments: n: int = 1
// launch: <<<1, 32>>>
// fast launch: <<<2, 64>>>
// budget: 20_000
// A sentence; launch: not one of ours.
__global__ void f() {}
// schedules: 9
`;

  it('speak for all kernels, and for one by name', () => {
    const header = readHeader(source);
    assert.deepEqual(header.finds, ['race', 'deadlock']);
    assert.deepEqual(header.for('slow'), { arguments: 'x: int[2], n: int = 1', launch: '<<<1, 32>>>', budget: 20000 });
    assert.equal(header.for('fast').launch, '<<<2, 64>>>');
    assert.equal(header.for('fast').budget, 20000);
  });

  it('are refused where a number is none', () => {
    assert.throws(() => readHeader('// budget: soon'), /Line 1: budget must be a whole number/);
  });
});
