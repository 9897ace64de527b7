/** The floor, against sums done by hand; above all, that what could be left out is not counted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkGraph } from '../operators/evaluate.ts';
import type { Draw, Graph, GraphNode, PrecisionPolicy, TensorSpec } from '../types.ts';
import { compulsoryBytes, type FloorTarget, floor, graphOperations } from './floor.ts';

/** Round numbers: 1 TB/s, 10 TFLOP/s. */
const target: FloorTarget = {
  id: 'round',
  name: 'a GPU of round numbers',
  sms: 100,
  clockHz: 1e9,
  memoryBandwidth: 1e12,
  l2Bytes: 1e6,
  flops: { fp32: 10e12, fp64: 5e12, tf32: 15e12, fp16: 24e12, bf16: 60e12, fp64Tensor: 10e12, int8: 120e12 },
  lanesPerClock: { fp32: 64, special: 16 },
};

const float = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });
const normal: Draw = { kind: 'normal', mean: 0, std: 1 };

/** Builds a graph line by line: `input` and `node` give ids. */
class Build {
  readonly #inputs: Graph['inputs'][number][] = [];
  readonly #nodes: GraphNode[] = [];
  #next = 0;

  input(spec: TensorSpec, draw = normal): number {
    this.#inputs.push({ id: this.#next, name: `x${this.#next}`, spec, draw });
    return this.#next++;
  }

  node(op: string, inputs: number[], output: TensorSpec, attributes: GraphNode['attributes'] = {}): number {
    this.#nodes.push({ op, inputs, attributes, outputs: [{ id: this.#next, spec: output }], line: 1 });
    return this.#next++;
  }

  returns(...outputs: number[]): Graph {
    const graph = { inputs: this.#inputs, parameters: [], constants: [], nodes: this.#nodes, outputs };
    checkGraph(graph);
    return graph;
  }
}

const floorOf = (graph: Graph, precision: PrecisionPolicy = 'fp32') => floor({ graph, precision }, target);
const bytesOf = (graph: Graph) => {
  const { read, written } = compulsoryBytes(graph);
  return [read, written];
};

describe('compulsory bytes', () => {
  it('are inputs read once and outputs written once', () => {
    const b = new Build();
    const x = b.input(float(100, 30));
    const bias = b.input(float(30));
    const sum = b.node('add', [x, bias], float(100, 30));
    assert.deepEqual(bytesOf(b.returns(b.node('relu', [sum], float(100, 30)))), [4 * 3030, 4 * 3000]);
  });

  it('leave out inputs that reach no output, and what a slice, a triangle or an embedding does not take', () => {
    const b = new Build();
    b.input(float(1000));
    const x = b.input(float(10, 8));
    const cut = b.node('slice', [x], float(10, 2), { dim: 1, start: 0, end: 2, step: 1 });
    assert.deepEqual(bytesOf(b.returns(cut)), [80, 80]);
    const t = new Build();
    const square = t.input(float(4, 4));
    assert.deepEqual(bytesOf(t.returns(t.node('tril', [square], float(4, 4), { diagonal: 0 }))), [40, 64]);
    const e = new Build();
    const index = e.input({ shape: [5], dtype: 'int64' }, { kind: 'integer', low: 0, high: 9 });
    const table = e.input(float(9, 3));
    assert.deepEqual(bytesOf(e.returns(e.node('embedding', [index, table], float(5, 3)))), [40, 60]);
  });

  it('read nothing for an output that is constant whatever goes in', () => {
    const b = new Build();
    const x = b.input(float(6, 5));
    const low = b.node('minimum', [x], float(6, 5), { other: 0, reverse: false });
    assert.deepEqual(bytesOf(b.returns(b.node('clamp', [low], float(6, 5), { min: 0, max: 1 }))), [0, 120]);
    const one = new Build();
    const y = one.input(float(6, 1));
    const mean = one.node('mean', [y], float(6, 1), { dims: [1], keepdim: true });
    assert.deepEqual(bytesOf(one.returns(one.node('sub', [y, mean], float(6, 1)))), [0, 24]);
    const soft = new Build();
    const z = soft.input(float(6, 1));
    assert.deepEqual(bytesOf(soft.returns(soft.node('softmax', [z], float(6, 1), { dim: 1 }))), [0, 24]);
  });

  it('leave out a bias that batch statistics cannot see, and what is normalised by itself', () => {
    const b = new Build();
    const [x, weight, bias] = [b.input(float(9, 4)), b.input(float(3, 4)), b.input(float(3))];
    const product = b.node('linear', [x, weight, bias], float(9, 3), { bias: true });
    const attributes = { training: true, momentum: 0.1, eps: 1e-5, weight: false, bias: false };
    assert.deepEqual(bytesOf(b.returns(b.node('batch_norm', [product], float(9, 3), attributes))), [
      4 * (36 + 12),
      4 * 27,
    ]);
    const g = new Build();
    const y = g.input(float(5, 4));
    const single = g.node('group_norm', [y], float(5, 4), { num_groups: 4, eps: 1e-5, weight: false, bias: false });
    assert.deepEqual(bytesOf(g.returns(single)), [0, 80]);
  });

  it('do not count elements that a mask may hide', () => {
    const b = new Build();
    const x = b.input(float(8, 8));
    const mask = b.input({ shape: [8, 8], dtype: 'bool' }, { kind: 'integer', low: 0, high: 2 });
    assert.deepEqual(bytesOf(b.returns(b.node('masked_fill', [x, mask], float(8, 8), { value: 0 }))), [64, 256]);
  });
});

describe('the floor', () => {
  it('of a big pointwise task is its bytes over the memory bandwidth', () => {
    const b = new Build();
    const x = b.input(float(1000, 1000));
    const { microseconds, limitedBy, bytes } = floorOf(b.returns(b.node('relu', [x], float(1000, 1000))));
    // 4 MB read; 1 of the 4 MB written may stay in the cache.
    assert.equal(bytes, 8e6);
    assert.equal(limitedBy, 'memory bandwidth');
    assert.ok(Math.abs(microseconds - 7) < 1e-9);
    const warm = floor({ graph: b.returns(1), precision: 'fp32' }, target, 'warm');
    assert.ok(Math.abs(warm.microseconds - 7) < 1e-9);
  });

  it('of a product is its multiply-adds over the fastest unit the policy allows', () => {
    const b = new Build();
    const product = b.node('matmul', [b.input(float(512, 512)), b.input(float(512, 512))], float(512, 512));
    const graph = b.returns(product);
    const operations = 2 * 512 ** 3;
    assert.equal(graphOperations(graph).contraction, operations);
    assert.equal(floorOf(graph).operations, operations);
    assert.ok(Math.abs(floorOf(graph).microseconds - (operations / 10e12) * 1e6) < 1e-9);
    assert.equal(floorOf(graph).limitedBy, 'multiply-adds');
    assert.ok(Math.abs(floorOf(graph, 'tf32').microseconds - (operations / 15e12) * 1e6) < 1e-9);
    assert.ok(Math.abs(floorOf(graph, 'bf16').microseconds - (operations / 60e12) * 1e6) < 1e-9);
  });

  it('grants re-association: a product that is only summed costs no multiply-adds', () => {
    const b = new Build();
    const product = b.node('matmul', [b.input(float(512, 512)), b.input(float(512, 512))], float(512, 512));
    const graph = b.returns(b.node('sum', [product], float(512), { dims: [1], keepdim: false }));
    assert.equal(floorOf(graph).parts.contraction, 0);
    const kept = new Build();
    const p = kept.node('matmul', [kept.input(float(512, 512)), kept.input(float(512, 512))], float(512, 512));
    const r = kept.node('relu', [p], float(512, 512));
    assert.ok(
      floorOf(kept.returns(kept.node('sum', [r], float(512), { dims: [1], keepdim: false }))).parts.contraction > 0,
    );
  });

  it('grants known zeros: two triangles take a sixth', () => {
    const b = new Build();
    const [x, y] = [b.input(float(300, 300)), b.input(float(300, 300))];
    const low = (id: number) => b.node('tril', [id], float(300, 300), { diagonal: 0 });
    const graph = b.returns(b.node('matmul', [low(x), low(y)], float(300, 300)));
    assert.ok(floorOf(graph).operations <= (2 * 300 * 301 * 302) / 6);
    assert.ok(floorOf(graph).operations > (1.9 * 300 ** 3) / 6);
  });

  it('grants a product of products its smallest inner size', () => {
    const b = new Build();
    const thin = b.node('matmul', [b.input(float(400, 8)), b.input(float(8, 400))], float(400, 400));
    const graph = b.returns(b.node('matmul', [thin, b.input(float(400, 400))], float(400, 400)));
    assert.equal(floorOf(graph).operations, 2 * 400 * 8 * 400);
  });

  it('counts each special function of distinct elements once', () => {
    const b = new Build();
    const x = b.input(float(1000));
    const wide = b.node('reshape', [x], float(1, 1000), { shape: [1, 1000] });
    const many = b.node('expand', [wide], float(5000, 1000), { shape: [5000, 1000] });
    const graph = b.returns(b.node('exp', [many], float(5000, 1000)));
    assert.ok(floorOf(graph).parts.special < 1);
  });

  it('does the same work twice only once', () => {
    const b = new Build();
    const x = b.input(float(64, 64));
    const once = () => b.node('matmul', [x, x], float(64, 64));
    const graph = b.returns(b.node('add', [once(), once()], float(64, 64)));
    assert.equal(floorOf(graph).operations, 2 * 64 ** 3);
  });

  it("counts a convolution's weight gradient as the convolution it is the gradient of, however many images there are", () => {
    const settings = { stride: [2, 2], padding: [1, 1], dilation: [1, 1], groups: 1 };
    const forward = new Build();
    const image = float(50, 3, 15, 15);
    const out = float(50, 4, 8, 8);
    const weight = float(4, 3, 3, 3);
    const product = forward.node('conv2d', [forward.input(image), forward.input(weight)], out, {
      ...settings,
      bias: false,
    });
    const backward = new Build();
    const operands = [backward.input(image), backward.input(out)];
    const gradient = backward.node('conv_weight_backward', operands, weight, { ...settings, kernel: [3, 3] });
    const [one, other] = [floorOf(forward.returns(product)), floorOf(backward.returns(gradient))];
    assert.ok(one.operations > 0);
    assert.equal(other.operations, one.operations);
  });
});
