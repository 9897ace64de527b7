/** What algebra proves: operators that are dead whatever the inputs are, and mutants that are none. Each claim is held to the reference on drawn inputs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawArguments } from '../inputs/draw.ts';
import { evaluateGraph } from '../operators/evaluate.ts';
import type { Graph } from '../types.ts';
import { domainOf, Equivalence, sentenceOf, unusedArguments } from './equivalent.ts';
import { graphOf } from './graph-text.fixture.ts';
import { mutants } from './mutants.ts';
import { Variants } from './variants.ts';

const seed = '0123456789abcdef'.repeat(4);
const x = { x: [3, 8] };

/** Descriptions of the mutants that are proven equal, after each has been held to the reference in float64 on two families. */
function proven(graph: Graph): string[] {
  const algebra = new Equivalence(graph);
  return mutants(graph)
    .filter((mutant) => !mutant.arithmetic && !mutant.frozen && algebra.proof(mutant.graph) !== undefined)
    .map((mutant) => {
      for (const family of ['normal', 'heavy-tailed']) {
        const inputs = drawArguments({ graph }, family, seed);
        const [right, other] = [evaluateGraph(graph, inputs)[0]!, evaluateGraph(mutant.graph, inputs)[0]!];
        right.values.forEach((value, i) => {
          assert.ok(Math.abs(value - other.values[i]!) <= 1e-6 * Math.max(1, Math.abs(value)), mutant.description);
        });
      }
      return mutant.description;
    });
}

const omissions = (graph: Graph) => new Equivalence(graph).omitted.map(sentenceOf);

describe('dead operators', () => {
  const cases: [string, Graph, RegExp][] = [
    [
      'a rectifier after a rectifier',
      graphOf(x, {}, 'a = relu x {} [3,8]\nb = leaky_relu a {"negative_slope":0.01} [3,8]'),
      /`leaky_relu` on line 2 passes its operand on, because the values there lie in \[0, inf\)/,
    ],
    [
      'a clamp that nothing reaches',
      graphOf(
        x,
        {},
        'a = tanh x {} [3,8]\nb = gelu a {"approximate":"none"} [3,8]\nc = hardtanh b {"min_val":-1,"max_val":1} [3,8]',
      ),
      /`hardtanh` on line 3 passes its operand on, because the values there lie in \[-0\.17\d*, 0\.84\d*\]/,
    ],
    [
      'a mean over a dimension of size one, subtracted',
      graphOf(
        x,
        {},
        'a = max x {"dims":[1],"keepdim":true} [3,1]\nb = mean a {"dims":[1],"keepdim":true} [3,1]\nc = sub a b {} [3,1]\nd = gelu c {"approximate":"none"} [3,1]',
      ),
      /`sub` on line 3 is 0 whatever the inputs are/,
    ],
    [
      'a minimum with 0 and then a clamp from 0',
      graphOf(x, {}, 'a = minimum x {"other":0,"reverse":false} [3,8]\nb = clamp a {"min":0,"max":1} [3,8]'),
      /`clamp` on line 2 is 0 whatever the inputs are/,
    ],
    [
      'a softmax summed along its own dimension',
      graphOf(x, {}, 'a = softmax x {"dim":1} [3,8]\nb = sum a {"dims":[1],"keepdim":false} [3]'),
      /`sum` on line 2 is 1 whatever the inputs are/,
    ],
    [
      'the upper triangle of a product of upper triangles',
      graphOf(
        { a: [5, 5], b: [5, 5] },
        {},
        'p = triu a {"diagonal":0} [5,5]\nq = triu b {"diagonal":0} [5,5]\nr = matmul p q {} [5,5]\ns = triu r {"diagonal":0} [5,5]',
      ),
      /`triu` on line 4 passes its operand on, because the values beyond that diagonal are zero already/,
    ],
  ];
  for (const [name, graph, sentence] of cases)
    it(name, () => {
      assert.match(omissions(graph).join('\n'), sentence);
      assert.ok(
        proven(graph).some((description) => /left out|zeros returned|mean of the right answer/.test(description)),
      );
    });

  it('are not found where there are none', () => {
    const graphs = [
      graphOf(x, {}, 'a = leaky_relu x {"negative_slope":0.01} [3,8]\nb = relu a {} [3,8]'),
      graphOf(x, {}, 'a = tanh x {} [3,8]\nb = clamp a {"min":-0.5,"max":0.9} [3,8]'),
      graphOf({ a: [5, 5] }, {}, 'p = triu a {"diagonal":0} [5,5]\nq = tril p {"diagonal":0} [5,5]'),
      graphOf({ a: [5, 5] }, {}, 'p = triu a {"diagonal":-1} [5,5]\nq = triu p {"diagonal":0} [5,5]'),
      graphOf(x, {}, 'a = softmax x {"dim":1} [3,8]\nb = sum a {"dims":[0],"keepdim":false} [8]'),
      graphOf(x, {}, 'a = relu x {} [3,8]\nb = sub a {"other":1,"reverse":false} [3,8]\nc = abs b {} [3,8]'),
    ];
    for (const graph of graphs) assert.deepEqual([omissions(graph), proven(graph)], [[], []]);
  });
});

describe('proof', () => {
  it('follows constants that it made itself: a scan of what is zero', () => {
    const graph = graphOf(
      x,
      {},
      'a = flip x {"dims":[1]} [3,8]\nb = cumsum a {"dim":1} [3,8]\nc = flip b {"dims":[1]} [3,8]',
    );
    assert.deepEqual(proven(graph), []);
  });

  it('takes in what is known of the inputs: an absolute value of inputs that are not negative', () => {
    const graph = graphOf(x, {}, 'a = abs x {} [3,8]\nb = log a {} [3,8]');
    const dropped = mutants(graph).find(({ id }) => id === 'dropped-0')!;
    assert.equal(new Equivalence(graph).proof(dropped.graph), undefined);
    assert.match(
      new Equivalence(graph, domainOf(graph, true)).proof(dropped.graph)!,
      /the values there lie in \[0, inf\)/,
    );
  });

  it('knows that a bias before batch statistics is dead, and one before group statistics is not', () => {
    const conv = 'a = linear x w b {"bias":true} [4,8]\n';
    const parameters = { w: { shape: [8, 5] }, b: { shape: [8] } };
    const graph = (norm: string) => graphOf({ x: [4, 5] }, parameters, conv + norm);
    const batch = graph(
      'c = batch_norm a {"training":true,"momentum":0.1,"eps":0.00001,"weight":false,"bias":false} [4,8]',
    );
    const group = graph('c = group_norm a {"num_groups":2,"eps":0.00001,"weight":false,"bias":false} [4,8]');
    assert.ok(proven(batch).includes('`b` taken for zeros'));
    assert.ok(!proven(group).some((description) => description.includes('`b`')));
  });
});

describe('unused arguments', () => {
  it('are those that reach no output', () => {
    const graph = graphOf({ x: [3], y: [3] }, { w: { shape: [3] } }, 'a = relu x {} [3]\n');
    assert.deepEqual(unusedArguments(graph), [
      { name: 'y', role: 'input' },
      { name: 'w', role: 'parameter' },
    ]);
  });
});

describe('variants', () => {
  it('give what an evaluation of the whole mutant gives', () => {
    const graph = graphOf(
      x,
      { w: { shape: [6, 8] } },
      'a = linear x w {"bias":false} [3,6]\nb = softmax a {"dim":1} [3,6]\nc = mul b b {} [3,6]\nd = sum c {"dims":[1],"keepdim":false} [3]',
    );
    const inputs = drawArguments({ graph }, 'normal', seed);
    const variants = new Variants(graph, inputs);
    assert.deepEqual(variants.outputs(), evaluateGraph(graph, inputs));
    const all = mutants(graph).filter(({ arithmetic, frozen }) => !arithmetic && !frozen);
    assert.ok(all.length > 15);
    for (const mutant of all)
      assert.deepEqual(variants.outputsOf(mutant.graph), evaluateGraph(mutant.graph, inputs), mutant.id);
  });
});
