/**
 * The mistakes that fit each operator, as a table: the near operator that a hurried author takes for it, the argument forgotten or off by a little,
 * the mode confused. Each keeps operands and output as they are.
 */
import { attributeNumber } from '../operators/operator.ts';
import type { Attribute, GraphNode, TensorSpec } from '../types.ts';

/** A change of a node's operator or attributes, or of the order of its operands. */
export interface Mistake {
  /** Follows on the operator's name: "replaced by `silu`". */
  says: string;
  op?: string;
  /** Replaces single attributes. */
  attributes?: Record<string, Attribute>;
  /** Replaces all attributes, for an operator with others. */
  all?: Record<string, Attribute>;
  /** The operands in another order, by position. */
  operands?: readonly number[];
}

/** Operators that are taken for one another, with the attributes of the other. */
const near: Readonly<Record<string, readonly [string, Record<string, Attribute>][]>> = {
  max: [
    ['min', {}],
    ['mean', {}],
  ],
  min: [
    ['max', {}],
    ['mean', {}],
  ],
  sum: [['mean', {}]],
  mean: [['sum', {}]],
  argmax: [['argmin', {}]],
  argmin: [['argmax', {}]],
  maximum: [['minimum', {}]],
  minimum: [['maximum', {}]],
  cummax: [['cummin', {}]],
  cummin: [['cummax', {}]],
  cumsum: [['cumprod', {}]],
  cumprod: [['cumsum', {}]],
  logsumexp: [['max', {}]],
  softmax: [['log_softmax', {}]],
  log_softmax: [['softmax', {}]],
  tril: [['triu', {}]],
  triu: [['tril', {}]],
  relu: [
    ['leaky_relu', { negative_slope: 0.01 }],
    ['abs', {}],
  ],
  silu: [
    ['hardswish', {}],
    ['gelu', { approximate: 'none' }],
  ],
  hardswish: [['silu', {}]],
  mish: [['silu', {}]],
  sigmoid: [
    ['hardsigmoid', {}],
    ['tanh', {}],
  ],
  hardsigmoid: [['sigmoid', {}]],
  tanh: [
    ['hardtanh', { min_val: -1, max_val: 1 }],
    ['softsign', {}],
    ['sigmoid', {}],
  ],
  hardtanh: [
    ['relu', {}],
    ['tanh', {}],
  ],
  softplus: [['relu', {}]],
  softsign: [['tanh', {}]],
  selu: [['elu', { alpha: 1 }]],
  elu: [
    ['selu', {}],
    ['relu', {}],
  ],
  gelu: [
    ['silu', {}],
    ['relu', {}],
  ],
  exp: [['exp2', {}]],
  exp2: [['exp', {}]],
  log: [['log2', {}]],
  sqrt: [['abs', {}]],
  floor: [['trunc', {}]],
  lt: [['le', {}]],
  le: [['lt', {}]],
  gt: [['ge', {}]],
  ge: [['gt', {}]],
  mse_loss: [['l1_loss', {}]],
  l1_loss: [['mse_loss', {}]],
};

const flag = (name: string, says: string) => ({ name, says });
/** Attributes that are true or false, and what the opposite is called. */
const flags: readonly { name: string; says: string }[] = [
  flag('is_causal', 'with the other causal mask'),
  flag('align_corners', 'with corners aligned the other way'),
  flag('log_target', 'with the target read the other way'),
  flag('descending', 'in the other order'),
  flag('largest', 'of the other end'),
];

/** Numbers that scale what an operator does; one per cent off is a typing mistake that looks right. */
const scales = ['negative_slope', 'alpha', 'beta', 'delta', 'lambd', 'scale'];

/** All mistakes that fit a node. `operands` are the specs of its operands. */
export function mistakesOf({ op, attributes: a }: GraphNode, operands: readonly TensorSpec[]): Mistake[] {
  const list: Mistake[] = [];
  const number = (name: string) => attributeNumber(a[name]);
  for (const [other, extra] of near[op] ?? []) {
    const own = ['sum', 'mean', 'max', 'min', 'logsumexp', 'cumsum', 'cumprod', 'tril', 'triu'].includes(op) ? a : {};
    const keeps = Object.keys(extra).length === 0 && !(other in onlyNames);
    list.push({ says: `replaced by \`${other}\``, op: other, ...(keeps ? {} : { all: { ...own, ...extra } }) });
  }
  for (const { name, says } of flags)
    if (typeof a[name] === 'boolean') list.push({ says, attributes: { [name]: !a[name] } });
  for (const name of scales) {
    const value = number(name);
    if (value !== undefined && value !== 0 && Number.isFinite(value))
      list.push({ says: `with ${name} 1 % off`, attributes: { [name]: value * 1.01 } });
  }
  const other = number('other');
  if (other !== undefined && Number.isFinite(other)) list.push(...scalarMistakes(op, other));
  if (op === 'gelu') {
    const tanh = a.approximate === 'tanh';
    list.push({
      says: `computed in its ${tanh ? 'erf' : 'tanh'} form`,
      attributes: { approximate: tanh ? 'none' : 'tanh' },
    });
  }
  if (op === 'var' || op === 'std')
    list.push({ says: 'divided by another count', attributes: { correction: number('correction') === 0 ? 1 : 0 } });
  if (op === 'tril' || op === 'triu') {
    const diagonal = number('diagonal') ?? 0;
    list.push({
      says: 'with the diagonal on the wrong side',
      attributes: { diagonal: op === 'tril' ? diagonal - 1 : diagonal + 1 },
    });
  }
  if (op === 'clamp' || op === 'hardtanh') list.push(...boundMistakes(op, a));
  if (op === 'leaky_relu') list.push({ says: 'with slope 0', op: 'relu', all: {} });
  if (op === 'scaled_dot_product_attention')
    list.push({ says: 'with its scale doubled', attributes: { scale: 2 * (number('scale') ?? 1) } });
  const eps = number('eps') ?? 0;
  if (eps > 0)
    list.push(
      { says: 'without its epsilon', attributes: { eps: 0 } },
      { says: 'with its epsilon ten times as large', attributes: { eps: 10 * eps } },
    );
  const smoothing = number('label_smoothing') ?? 0;
  if (smoothing > 0) list.push({ says: 'without label smoothing', attributes: { label_smoothing: 0 } });
  if (a.reduction === 'mean' || a.reduction === 'batchmean')
    list.push({ says: 'summed instead of averaged', attributes: { reduction: 'sum' } });
  if (a.reduction === 'batchmean') list.push({ says: 'averaged over all elements', attributes: { reduction: 'mean' } });
  if (a.reduction === 'sum') list.push({ says: 'averaged instead of summed', attributes: { reduction: 'mean' } });
  if (a.count_include_pad !== undefined && (a.padding as number[]).some((p) => p > 0))
    list.push({ says: 'counting its padding the other way', attributes: { count_include_pad: !a.count_include_pad } });
  if (op === 'group_norm') list.push(...groupMistakes(a, operands[0]!));
  if (/^(max|avg)_pool/.test(op)) list.push(poolMistake(op, a));
  if (op === 'adaptive_avg_pool') list.push({ says: 'replaced by `adaptive_max_pool`', op: 'adaptive_max_pool' });
  if (op === 'adaptive_max_pool') list.push({ says: 'replaced by `adaptive_avg_pool`', op: 'adaptive_avg_pool' });
  if (op === 'norm' && a.p === 2) list.push({ says: 'replaced by the sum of absolute values', attributes: { p: 1 } });
  if (op === 'norm' && a.p === 1) list.push({ says: 'replaced by the Euclidean norm', attributes: { p: 2 } });
  if (op === 'rnn')
    list.push({
      says: 'with the other activation',
      attributes: { nonlinearity: a.nonlinearity === 'tanh' ? 'relu' : 'tanh' },
    });
  if (['sub', 'div', 'cat', 'atan2'].includes(op) && operands.length === 2 && sameShapes(operands))
    list.push({ says: 'with its operands exchanged', operands: [1, 0] });
  if (op === 'select') {
    const size = operands[0]!.shape[a.dim as number]!;
    if (size > 1)
      list.push({ says: 'of a neighbouring index', attributes: { index: ((a.index as number) + 1) % size } });
  }
  if (op === 'slice') list.push(...sliceMistakes(a, operands[0]!));
  if (op === 'roll')
    list.push({ says: 'by one more', attributes: { shifts: (a.shifts as number[]).map((s) => s + 1) } });
  const dim = a.dim;
  if (
    typeof dim === 'number' &&
    ['softmax', 'log_softmax', 'cumsum', 'cumprod', 'cummax', 'cummin', 'sort'].includes(op)
  ) {
    const rank = operands[0]!.shape.length;
    if (rank > 1)
      list.push({ says: 'along the wrong dimension', attributes: { dim: dim === rank - 1 ? rank - 2 : rank - 1 } });
  }
  return list;
}

/** Operators without attributes: taking one for another clears what was there. */
const onlyNames: Readonly<Record<string, true>> = {
  relu: true,
  tanh: true,
  silu: true,
  selu: true,
  abs: true,
  softsign: true,
};

const sameShapes = ([x, y]: readonly TensorSpec[]) => JSON.stringify(x!.shape) === JSON.stringify(y!.shape);

function scalarMistakes(op: string, other: number): Mistake[] {
  switch (op) {
    case 'pow':
      return [{ says: 'with an exponent one larger', attributes: { other: other + 1 } }];
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'minimum':
    case 'maximum':
      return [
        other === 0
          ? { says: 'with 0.01 for 0', attributes: { other: 0.01 } }
          : { says: 'with its scalar 1 % off', attributes: { other: other * 1.01 } },
      ];
    default:
      return [];
  }
}

function boundMistakes(op: string, a: GraphNode['attributes']): Mistake[] {
  const [lower, upper] = op === 'clamp' ? (['min', 'max'] as const) : (['min_val', 'max_val'] as const);
  const [low, high] = [attributeNumber(a[lower]), attributeNumber(a[upper])];
  const list: Mistake[] = [];
  if (low !== undefined && high !== undefined)
    list.push(
      { says: 'without its lower bound', op: 'clamp', all: { min: null, max: high } },
      { says: 'without its upper bound', op: 'clamp', all: { min: low, max: null } },
    );
  const off = (x: number) => (x === 0 ? 0.01 : x * 1.01);
  if (low !== undefined) list.push({ says: 'with its lower bound a little off', attributes: { [lower]: off(low) } });
  if (high !== undefined) list.push({ says: 'with its upper bound a little off', attributes: { [upper]: off(high) } });
  return list;
}

function groupMistakes(a: GraphNode['attributes'], x: TensorSpec): Mistake[] {
  const groups = a.num_groups as number;
  const channels = x.shape[1]!;
  const other = groups > 1 ? 1 : channels;
  return other === groups
    ? []
    : [{ says: `with ${other} group${other === 1 ? '' : 's'} for ${groups}`, attributes: { num_groups: other } }];
}

function poolMistake(op: string, a: GraphNode['attributes']): Mistake {
  const { kernel, stride, padding, ceil_mode } = a;
  const all: Record<string, Attribute> = { kernel: kernel!, stride: stride!, padding: padding!, ceil_mode: ceil_mode! };
  if (op.startsWith('max')) {
    const to = op.replace('max', 'avg');
    return { says: `replaced by \`${to}\``, op: to, all: { ...all, count_include_pad: true, divisor: null } };
  }
  const to = op.replace('avg', 'max');
  return { says: `replaced by \`${to}\``, op: to, all: { ...all, dilation: (kernel as number[]).map(() => 1) } };
}

function sliceMistakes(a: GraphNode['attributes'], x: TensorSpec): Mistake[] {
  const [start, end, size] = [a.start as number, a.end as number, x.shape[a.dim as number]!];
  if (end < size) return [{ says: 'one element further on', attributes: { start: start + 1, end: end + 1 } }];
  if (start > 0) return [{ says: 'one element too early', attributes: { start: start - 1, end: end - 1 } }];
  return [];
}
