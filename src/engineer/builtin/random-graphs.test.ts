/**
 * Random graphs of supported operators, under random legal schedules, agree with the float64 reference.
 * ASSAY_RANDOM_GRAPHS sets how many (default 4, each a build and a run on the virtual GPU).
 */
import { after, before, describe, it } from 'node:test';
import { Random } from '../search/random.ts';
import { DeviceCheck, skipWithoutCompiler } from './device-check.fixture.ts';
import { plainChoice } from './first-choices.ts';
import { GraphBuilder } from './graph.fixture.ts';
import { type GroupFacts, groupFacts, illegal, knobs } from './knobs.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './lower/index.ts';
import type { ReduceStep } from './lower/program.ts';
import { splitChoices } from './lower/split.ts';

const graphs = Number(process.env.ASSAY_RANDOM_GRAPHS ?? 4);
const firstSeed = Number(process.env.ASSAY_RANDOM_SEED ?? 1);

/** Operators that keep values of ordinary size, so that one tolerance fits all. */
const unary = ['tanh', 'sigmoid', 'relu', 'silu', 'abs', 'neg', 'softsign', 'sin', 'erf', 'hardswish'];
const binary = ['add', 'sub', 'mul', 'maximum', 'minimum'];
const reductions = ['sum', 'mean', 'max', 'min', 'logsumexp'];

/** Appends one random operator on one of the values; undefined when it does not fit the shape that was drawn. */
function grow(graph: GraphBuilder, values: readonly number[], random: Random): number | undefined {
  const x = random.pick(values);
  const { shape } = graph.spec(x);
  const dim = shape.length > 0 ? random.below(shape.length) : -1;
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2:
      return graph.op(random.pick(unary), [x]);
    case 3:
      return graph.op(random.pick(binary), [x], { other: random.pick([0.5, -1, 2]), reverse: random.below(2) === 1 });
    case 4:
    case 5: {
      const fitting = values.filter((y) => broadcasts(shape, graph.spec(y).shape));
      return graph.op(random.pick(binary), [x, random.pick(fitting)]);
    }
    case 6:
    case 7: {
      if (dim < 0) return undefined;
      const dims = shape.map((_, d) => d).filter((d) => d === dim || random.below(3) === 0);
      return graph.op(random.pick(reductions), [x], { dims, keepdim: random.below(3) > 0 });
    }
    case 8:
      return dim < 0 ? undefined : graph.op(random.pick(['softmax', 'log_softmax']), [x], { dim });
    case 9:
      if (shape.length === 0) return undefined;
      return graph.op('layer_norm', [x], { normalized_shape: shape.slice(dim), eps: 1e-3, weight: false, bias: false });
    case 10: {
      if (shape.length < 2) return undefined;
      const dims = shape.map((_, d) => d);
      dims.push(...dims.splice(random.below(dims.length), 1));
      return graph.op('permute', [x], { dims });
    }
    case 11: {
      if (dim < 0) return undefined;
      const line = random.below(2) === 0 ? x : graph.op('flip', [x], { dims: [dim] });
      if (random.below(3) > 0) return graph.op(random.pick(['cummax', 'cummin', 'logcumsumexp']), [line], { dim });
      return graph.op('cumsum', [graph.op('mul', [line], { other: 0.125, reverse: false })], { dim });
    }
    case 12: {
      if (dim < 0) return undefined;
      const k = 1 + random.below(shape[dim]!);
      return graph.op('topk', [x], { k, dim, largest: random.below(2) === 0, sorted: true });
    }
    case 13: {
      if (shape.length !== 3) return undefined;
      if (random.below(2) === 0) return graph.op('adaptive_avg_pool', [x], { output_size: [random.pick([3, 5, 8])] });
      const sizes = { mode: 'linear', output_size: [random.pick([9, 16, 21])], scales: [null], align_corners: false };
      return graph.op('interpolate', [x], sizes);
    }
    case 14: {
      if (shape.length !== 3) return undefined;
      const w = graph.input([shape[1]!, 6, 3]);
      const [stride, dilation] = random.pick([
        [2, 1],
        [1, 2],
        [3, 1],
        [2, 3],
      ] as const);
      const settings = {
        stride: [stride],
        padding: [1],
        output_padding: [0],
        dilation: [dilation],
        groups: 1,
        bias: false,
      };
      return graph.op('mul', [graph.op('conv_transpose1d', [x, w], settings)], { other: 0.25, reverse: false });
    }
    default: {
      if (shape.length < 2) return undefined;
      const w = graph.input([shape.at(-1)!, random.pick([5, 8, 12])]);
      return graph.op('mul', [graph.op('matmul', [x, w])], { other: 0.25, reverse: false });
    }
  }
}

function broadcasts(a: readonly number[], b: readonly number[]): boolean {
  const rank = Math.min(a.length, b.length);
  return a.slice(a.length - rank).every((size, d) => {
    const other = b[b.length - rank + d]!;
    return size === other || size === 1 || other === 1;
  });
}

function randomTask(random: Random) {
  const graph = new GraphBuilder();
  const sizes = [4, 7, 8, 12, 16, 33, 40];
  const shape = Array.from({ length: 2 + random.below(2) }, () => random.pick(sizes));
  const values = [graph.input(shape), graph.input(shape.slice(-1))];
  for (let k = 0, wanted = 3 + random.below(6); k < wanted; ) {
    const made = grow(graph, values, random);
    if (made === undefined) continue;
    values.push(made);
    k++;
  }
  return graph.task([values.at(-1)!, values.at(-2)!]);
}

/** A legal choice drawn over all knobs. */
function randomChoice(facts: GroupFacts, random: Random): KernelChoice {
  for (let attempt = 0; attempt < 3000; attempt++) {
    const family = random.pick(facts.families);
    const drawn = Object.fromEntries(knobs[family].map((knob) => [knob.name, random.pick(knob.choices)]));
    const choice = { family, ...drawn } as KernelChoice;
    if (!illegal(facts, choice)) return choice;
  }
  return plainChoice(facts);
}

describe('random graphs under random schedules', { skip: skipWithoutCompiler }, () => {
  let check: DeviceCheck;
  before(() => {
    check = new DeviceCheck();
  });
  after(() => check.close());
  for (let seed = firstSeed; seed < firstSeed + graphs; seed++) {
    it(`seed ${seed}`, async () => {
      const random = new Random('random graphs', seed);
      const task = randomTask(random);
      const program = decompose(task.graph, task.signature);
      const splittable = program.steps.filter(
        (step): step is ReduceStep => step.kind === 'reduce' && splitChoices(step, 8).length > 0,
      );
      const splits = Object.fromEntries(
        splittable
          .filter(() => random.below(3) === 0)
          .map((step) => [step.outs[0]!, random.pick(splitChoices(step, 8))]),
      );
      const made = outline(program, { fusion: seed % 4 === 0 ? 'operator' : 'fused', splits });
      const choices = made.groups.map(({ group, stored }) =>
        randomChoice(groupFacts(made.program, group, stored), random),
      );
      const about = [
        `seed ${seed}`,
        JSON.stringify(task.graph.nodes.map(({ op, inputs, attributes }) => [op, inputs, attributes])),
      ];
      await check.matches(task, lowerOutline(task, made, choices, about), 2e-4, seed);
    });
  }
});
