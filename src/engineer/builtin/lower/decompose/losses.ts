/** Losses: pointwise terms or rows, then a mean or sum over everything. Every sum has a fixed order: no atomics. */
import type { DType } from '../../../../task/index.ts';
import type { View } from '../program.ts';
import { attributeNumber, type ComputeType, literal, mathFunction } from '../scalar.ts';
import { contiguousStrides } from '../strides.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';
import { logSoftmax, mean } from './reductions.ts';

/** Attributes of a node, bound early: expressions are rendered after all nodes have been lowered. */
interface Settings {
  number(name: string): number;
  has(name: string): boolean;
}

type Term = (x: readonly string[], type: ComputeType, settings: Settings) => string;

const all = (view: View) => view.shape.map((_, d) => d);

/** Applies the node's `reduction` to a tensor of terms. */
function reduced(lower: Lowering, terms: View): View {
  switch (lower.node.attributes.reduction) {
    case 'none':
      return terms;
    case 'sum':
      return lower.reduce('sum', terms, all(terms), 'sum');
    case 'mean':
      return mean(lower, terms, all(terms), false);
    case 'batchmean': {
      const batch = terms.shape[0]!;
      const total = lower.reduce('sum', terms, all(terms), 'sum');
      return lower.compute('batchmean', [total], lower.dtype(terms), ([s], type) => `${s} / ${literal(batch, type)}`);
    }
    default:
      return lower.fail(`reduction "${lower.node.attributes.reduction}"`);
  }
}

/** A loss of two equal shapes whose terms need nothing but their own elements. */
const elementwise =
  (label: string, term: Term): Rule =>
  (lower) => {
    const views = lower.node.inputs.map((_, k) => lower.input(k));
    const { attributes } = lower.node;
    const settings: Settings = {
      number: (name) => attributeNumber(attributes[name]),
      has: (name) => attributes[name] === true,
    };
    const terms = lower.compute(label, views, lower.dtype(views[0]!), (x, type) => term(x, type, settings));
    lower.output(reduced(lower, terms));
  };

const abs = (text: string, type: ComputeType) => `${mathFunction('fabs', type)}(${text})`;

function smoothL1([x, y]: readonly string[], type: ComputeType, settings: Settings): string {
  const beta = settings.number('beta');
  const distance = abs(`${x} - ${y}`, type);
  if (beta === 0) return distance;
  return `(${distance} < ${literal(beta, type)} ? ${literal(0.5, type)} * (${x} - ${y}) * (${x} - ${y}) / ${literal(beta, type)} : ${distance} - ${literal(beta / 2, type)})`;
}

function huber([x, y]: readonly string[], type: ComputeType, settings: Settings): string {
  const delta = settings.number('delta');
  const distance = abs(`${x} - ${y}`, type);
  return `(${distance} <= ${literal(delta, type)} ? ${literal(0.5, type)} * (${x} - ${y}) * (${x} - ${y}) : ${literal(delta, type)} * (${distance} - ${literal(delta / 2, type)}))`;
}

function klDiv([x, target]: readonly string[], type: ComputeType, settings: Settings): string {
  if (settings.has('log_target')) return `${mathFunction('exp', type)}(${target}) * (${target} - ${x})`;
  return `(${target} > 0 ? ${target} * (${mathFunction('log', type)}(${target}) - ${x}) : ${target} * ${literal(0, type)})`;
}

function binaryCrossEntropy([x, y, weight]: readonly string[], type: ComputeType): string {
  const clamped = (text: string) => `${mathFunction('fmax', type)}(${text}, ${literal(-100, type)})`;
  const log = clamped(`${mathFunction('log', type)}(${x})`);
  const logOther = clamped(`${mathFunction('log1p', type)}(-${x})`);
  const term = `-(${y} * ${log} + (${literal(1, type)} - ${y}) * ${logOther})`;
  return weight ? `${term} * ${weight}` : term;
}

/** (1 - y) x + (1 + (p - 1) y) (log(1 + e^-|x|) + max(-x, 0)): no overflow for any x. */
function withLogits(x: readonly string[], type: ComputeType, settings: Settings): string {
  const rest = x.slice(2);
  const weight = settings.has('weight') ? rest.shift() : undefined;
  const positive = settings.has('pos_weight') ? rest.shift() : undefined;
  const [score, y] = x;
  const one = literal(1, type);
  const softplus = `(${mathFunction('log1p', type)}(${mathFunction('exp', type)}(-${abs(score!, type)})) + (${score} < 0 ? -${score} : ${literal(0, type)}))`;
  const scale = positive ? `(${one} + (${positive} - ${one}) * ${y}) * ` : '';
  const term = `(${one} - ${y}) * ${score} + ${scale}${softplus}`;
  return weight ? `(${term}) * ${weight}` : term;
}

/** -weight[c] at the target's class along dimension 1, with the class picked inside the row's own loop. */
function classLoss(
  lower: Lowering,
  x: View,
  logProbabilities: { pick: (picked: View) => View; smooth?: (weight?: View) => View },
) {
  const target = lower.input(1);
  const dtype = lower.dtype(x);
  const classes = x.shape.length === 1 ? 0 : 1;
  const ignored = lower.number('ignore_index');
  const alongClasses = lower.reshape(
    target,
    x.shape.map((size, d) => (d === classes ? 1 : size)),
  );
  const weight = lower.has('weight')
    ? lower.reshape(
        lower.input(2),
        x.shape.map((size, d) => (d === classes ? size : 1)),
      )
    : undefined;
  const position = contiguousStrides(x.shape).map((_, d) => (d === classes ? 1 : 0));
  const pickAlong = (label: string, view: View) =>
    lower.reduce(
      label,
      lower.map(
        [view, alongClasses],
        dtype,
        ([v, t, c], type) => `(${c!.text} == ${t!.text} ? ${v!.text} : ${literal(0, type)})`,
        { label: `${label}_or_zero`, shape: x.shape, more: [{ kind: 'index', strides: position, offset: 0 }] },
      ),
      [classes],
      'sum',
      { keepdim: true },
    );
  const smoothing = logProbabilities.smooth ? lower.number('label_smoothing') : 0;
  const picked = logProbabilities.pick(pickAlong('picked', x));
  const classWeight = weight ? pickAlong('class_weight', weight) : undefined;
  const keep = (text: string, t: string, type: ComputeType) => `(${t} == ${ignored} ? ${literal(0, type)} : ${text})`;
  let loss = lower.compute(
    'loss',
    classWeight ? [picked, alongClasses, classWeight] : [picked, alongClasses],
    dtype,
    ([p, t, w], type) => keep(w ? `-${p} * ${w}` : `-${p}`, t!, type),
  );
  if (smoothing !== 0) {
    const count = x.shape[classes]!;
    const smooth = logProbabilities.smooth!(weight);
    loss = lower.compute(
      'smoothed',
      [loss, smooth, alongClasses],
      dtype,
      ([l, s, t], type) =>
        `${literal(1 - smoothing, type)} * ${l} - ${keep(`${literal(smoothing / count, type)} * ${s}`, t!, type)}`,
    );
  }
  const losses = lower.reshape(loss, target.shape);
  if (lower.node.attributes.reduction !== 'mean') return lower.output(reduced(lower, losses));
  // The mean is over the weights of the targets that count, not over N.
  const counted = lower.compute(
    'counted',
    classWeight ? [alongClasses, classWeight] : [alongClasses],
    dtype,
    ([t, w], type) => keep(w ?? literal(1, type), t!, type),
  );
  const counts = lower.reshape(counted, target.shape);
  const total = lower.reduce('total_loss', losses, all(losses), 'sum');
  const divisor = lower.reduce('total_count', counts, all(counts), 'sum');
  lower.output(lower.compute('mean_loss', [total, divisor], dtype, ([s, n]) => `${s} / ${n}`));
}

function crossEntropy(lower: Lowering): void {
  const x = lower.input(0);
  const dtype: DType = lower.dtype(x);
  const classes = x.shape.length === 1 ? 0 : 1;
  const { result, peak, logTotal } = logSoftmax(lower, x, classes);
  if (lower.node.attributes.target === 'indices') {
    classLoss(lower, x, {
      pick: (picked) =>
        lower.compute('log_probability', [picked, peak, logTotal], dtype, ([p, m, l]) => `(${p} - ${m}) - ${l}`),
      smooth: (weight) => lower.reduce('sum', weighted(lower, result(), weight), [classes], 'sum', { keepdim: true }),
    });
    return;
  }
  const smoothing = lower.number('label_smoothing');
  const count = x.shape[classes]!;
  const weight = lower.has('weight')
    ? lower.reshape(
        lower.input(2),
        x.shape.map((size, d) => (d === classes ? size : 1)),
      )
    : undefined;
  const terms = lower.compute('term', [weighted(lower, result(), weight), lower.input(1)], dtype, ([l, t], type) =>
    smoothing === 0
      ? `-${l} * ${t}`
      : `-${l} * (${t} * ${literal(1 - smoothing, type)} + ${literal(smoothing / count, type)})`,
  );
  const losses = lower.reduce('loss', terms, [classes], 'sum');
  lower.output(reduced(lower, losses));
}

function weighted(lower: Lowering, view: View, weight: View | undefined): View {
  return weight ? lower.compute('weighted', [view, weight], lower.dtype(view), ([l, w]) => `${l} * ${w}`) : view;
}

export const lossRules: Readonly<Record<string, Rule>> = {
  mse_loss: elementwise('squared_error', ([x, y]) => `(${x} - ${y}) * (${x} - ${y})`),
  l1_loss: elementwise('absolute_error', ([x, y], type) => abs(`${x} - ${y}`, type)),
  smooth_l1_loss: elementwise('smooth_error', smoothL1),
  huber_loss: elementwise('huber', huber),
  kl_div: elementwise('divergence', klDiv),
  binary_cross_entropy: elementwise('cross_entropy', binaryCrossEntropy),
  binary_cross_entropy_with_logits: elementwise('cross_entropy', withLogits),
  cross_entropy: crossEntropy,
  nll_loss: (lower) => classLoss(lower, lower.input(0), { pick: (picked) => picked }),
};
