/** Tracing against real PyTorch: names, shapes, order and values. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { type Backward, backwardGraph } from '../backward.ts';
import type { Graph } from '../types.ts';
import { Sandbox } from './sandbox.ts';
import { TaskError } from './task-error.ts';
import { testCache } from './test-cache.ts';
import { type Case, disagreements, evaluable, pythonWithTorch, REFUSED } from './torch-oracle.ts';
import { FileTracer, readAnswer } from './trace.ts';

/** A task file: lines of __init__, lines of forward, what get_inputs returns, arguments of __init__. */
function task(init: string, forward: string, inputs: string, initInputs = '', initParameters = ''): string {
  const indent = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((l) => `        ${l}`)
      .join('\n');
  const names = 'x, y=None, z=None';
  return `import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange as _  # noqa


class Model(nn.Module):
    def __init__(self${initParameters && `, ${initParameters}`}):
        super().__init__()
${indent(init || 'pass')}

    def forward(self, ${names}):
${indent(forward)}


def get_inputs():
    return [${inputs}]


def get_init_inputs():
    return [${initInputs}]
`.replace(/from einops.*\n/, '');
}

/** Forward expressions on x: rand(3, 5, 8), y: randn(3, 5, 8), z: randint(0, 5, (3, 8)). */
const X = 'torch.rand(3, 5, 8), torch.randn(3, 5, 8), torch.randint(0, 5, (3, 8))';
const EXPRESSIONS = `
x + y; x - 2 * y; 2 - x; 1 / (x + 1); x ** 2; 2 ** y; y ** 3; x // 0.3; y % 0.7; -x; abs(y); x / 3
torch.add(x, y, alpha=2); torch.sub(x, y, alpha=0.5); torch.rsub(x, y); x.mul(3).add(1); torch.remainder(y, 0.3); torch.fmod(y, 0.3)
torch.exp(x); torch.log(x + 1); torch.sqrt(x); torch.rsqrt(x + 1); torch.sin(y).cos(); torch.tanh(y); torch.sigmoid(y); torch.erf(y); torch.log1p(x); torch.expm1(y)
torch.floor(y); y.round(); torch.sign(y); torch.trunc(y); y.square(); torch.reciprocal(x + 1); torch.log2(x + 1); torch.atan2(y, x)
F.relu(y); F.leaky_relu(y, 0.2); F.elu(y, 0.7); F.selu(y); F.celu(y, 1.3); F.gelu(y); F.gelu(y, approximate='tanh'); F.silu(y); F.mish(y); F.softplus(y, 2, 3); F.softsign(y); F.hardtanh(y, -0.5, 0.6)
F.hardsigmoid(y); F.hardswish(y); F.relu6(7 * y); F.logsigmoid(y); F.softshrink(y, 0.3); F.hardshrink(y); F.tanhshrink(y); F.threshold(y, 0.1, 20); F.glu(y, dim=2); F.glu(x.repeat(1, 2, 1), 1)
x > y; (x > 0.5).float(); (y > 0).masked_fill(x > 0.5, False); torch.where(x > 0.5, True, False); torch.where(x > 0.5, y > 0, True); y.masked_fill(x > 0.5, True); y.clamp(max=True); (y > 0) == False; F.leaky_relu(y, True); torch.where(x > 0.5, x, y); torch.where(x > 0.5, 0.0, y); x == x; x.ne(y) | (x < 0.5); ~(x >= y); torch.logical_and(x > 0.5, y); x.masked_fill(x > 0.5, float('-inf'))
torch.clamp(y, -0.5, 0.5); y.clamp(min=0); y.clamp_(max=0.2); torch.maximum(x, y); torch.min(x, y); torch.max(y, torch.tensor(0.3)); z + 1; z / 2; z * 1.5; z // 2; z % 3; z << 3; (z - 3) >> 1; (z.int() << 2) ^ ~z.int(); ~(z - 2); torch.bitwise_left_shift(z, 1); z.float().mean(); (z > 2).sum(); z.sum(0)
x.sum(); torch.sum(x, dim=1, keepdim=True); x.mean((0, 2)); x.mean(-1); torch.prod(x, 1); y.max(); torch.max(y, 1)[0]; y.max(dim=1).indices; torch.min(y, dim=2, keepdim=True)[1]; y.amax((0, 1)); torch.argmax(y, 1); y.argmin(); y.argmax(dim=-1, keepdim=True)
x.var(); torch.std(y, 1); y.var(dim=1, unbiased=False, keepdim=True); torch.var(y, dim=(1, 2), correction=0); torch.norm(y); torch.norm(y, p='fro', dim=1); torch.norm(y, p=1, dim=-1, keepdim=True); y.norm(float('inf'), 1); torch.logsumexp(y, dim=1); torch.any(y > 0.5, 1); torch.all(x > 0); torch.linalg.vector_norm(y, dim=-1)
F.softmax(y, dim=1); torch.softmax(y, -1); F.log_softmax(y, dim=2); y.softmax(0); F.softmin(y, 1); torch.cumsum(y, dim=1); torch.cumprod(x, 2); torch.cumsum(y.flip(1), dim=1).flip(1); torch.logcumsumexp(y, 1); torch.cummax(y, 1)[0]; torch.cummax(y.round(), 1)[1]; torch.cummin(y.round(), -1).indices; torch.sort(y, dim=1)[0]; torch.topk(y, 2, dim=1)
F.layer_norm(y, (8,)); F.layer_norm(y, y.shape[1:]); F.rms_norm(y, (8,)); F.group_norm(y.reshape(3, 10, 4), 5); F.instance_norm(y); F.normalize(y, dim=1); F.normalize(y, p=1, dim=-1); x / torch.sqrt(torch.mean(x ** 2, dim=1, keepdim=True) + 1e-5); F.batch_norm(y, torch.zeros(5), torch.ones(5)); F.batch_norm(y, None, None, training=True)
x @ y.transpose(1, 2); torch.matmul(x, y[0].T); torch.bmm(x, y.permute(0, 2, 1)); torch.mm(x[0], y[0].t()); torch.mv(x[0], y[0, 0]); torch.dot(x[0, 0], y[0, 0]); x @ y[0, 0]; torch.outer(x[0, 0], y[0, 1]); torch.addmm(x[0, :, :5], x[0], y[0].T, beta=0.5, alpha=2); torch.baddbmm(x[:, :, :5], x, y.mT)
torch.einsum('bij,bkj->bik', x, y); torch.einsum('bij,bij->b', x, y); torch.einsum('...i,...i', x, y); torch.einsum('bij -> bji', x); torch.tensordot(x, y, dims=([1, 2], [1, 2])); F.linear(x, y[0]); F.linear(x, y[0], y[0, :, 0]); F.bilinear(x[:, :, :2], y[:, :, :3], y[0, :, :6].reshape(5, 2, 3))
F.scaled_dot_product_attention(x, y, y); F.scaled_dot_product_attention(x, y, y, is_causal=True, scale=0.3); F.scaled_dot_product_attention(x, y, y, attn_mask=x[0, :, :5] > 0.2)
F.cross_entropy(y, z); F.cross_entropy(y, z, reduction='none'); F.cross_entropy(y, z, label_smoothing=0.1); F.cross_entropy(y, x.softmax(1)); F.cross_entropy(y, z, weight=x[0, :, 0], ignore_index=2); F.nll_loss(F.log_softmax(y, 1), z, reduction='sum'); F.mse_loss(x, y); F.l1_loss(x, y, reduction='sum'); F.smooth_l1_loss(x, y, beta=0.5); F.huber_loss(x, y, delta=0.3)
F.kl_div(y, x.softmax(1), reduction='batchmean'); F.kl_div(y, x, log_target=True); F.binary_cross_entropy(x, x.flip(0)); F.binary_cross_entropy_with_logits(y, x); F.binary_cross_entropy_with_logits(y, x, pos_weight=x[0, 0]); torch.mean(torch.clamp(1 - x * y, min=0)); F.hinge_embedding_loss(y, torch.sign(y)); F.margin_ranking_loss(x, y, y.sign(), 0.2)
F.triplet_margin_loss(x[:, :, 0], y[:, :, 0], y[:, :, 1]); F.triplet_margin_loss(x[:, :, 0], y[:, :, 0], y[:, :, 1], swap=True); F.cosine_embedding_loss(x[0], y[0], torch.sign(y[0, :, 0]), 0.1); F.cosine_similarity(x, y, dim=1); F.pairwise_distance(x[0], y[0]); F.soft_margin_loss(y, x.round() * 2 - 1); F.poisson_nll_loss(y, x); F.gaussian_nll_loss(x, y, x + 0.1); torch.cdist(x, y)
x.view(3, -1); x.reshape(5, 3, 8).permute(2, 0, 1); x.flatten(1); torch.flatten(x); x.unsqueeze(1).squeeze(); x[:, 0]; x[..., 1:6:2]; x[0, :, None]; x[-1, 2:, ...]; x[:, [0, 2]]; x[z[:, 0] % 3]; x[:, :, z[0]]; x[z[:, 0] % 3, z[:, 1]]; x[:, -3:-1]; x.T.shape == (8, 5, 3) and x.permute(*range(2, -1, -1))
torch.cat([x, y], dim=1); torch.stack((x, y), -1); torch.chunk(y, 3, dim=2); y.split(2, dim=1); y.split([1, 4], 1)[1]; torch.unbind(y, 1)[2]; x.expand(2, -1, -1, -1); x[:, :1].expand_as(y) + y; x.repeat(2, 1, 3); torch.tile(x, (2,)); x.repeat_interleave(3, dim=1); torch.roll(x, 2, 1); torch.roll(x, (1, -2), (0, 2)); torch.roll(x, 3); x.flip(0, 2)
torch.tril(y); torch.triu(y, diagonal=1); torch.diag(x[0, 0]); torch.diag(x[0, :, :5]); torch.diagonal(x, dim1=1, dim2=2); F.pad(x, (1, 2)); F.pad(x, (1, 0, 2, 1), value=3.0); F.pad(x, (2, 1), mode='reflect'); F.pad(x, (2, 1), mode='replicate'); F.pad(x, (-1, 2)); F.one_hot(z, 5); torch.gather(y, 1, z.unsqueeze(1)); torch.index_select(y, 1, torch.tensor([0, 3])); y.narrow(1, 1, 2); y.unfold(2, 3, 2); torch.scatter(y, 1, z.unsqueeze(1), 0.5); F.embedding(z, y[0])
torch.movedim(x, 0, -1); x.swapaxes(0, 1); torch.meshgrid(x[0, 0], y[0, 0], indexing='ij')[1]; x.new_zeros(2) + 1; torch.zeros_like(x) + x; torch.ones(8) * x; torch.arange(8) * x; x + torch.eye(5, 8); x * torch.tensor([1.0, 2, 3, 4, 5]).view(5, 1); torch.linspace(0, 1, 8) + x; torch.full((8,), 2.0) * x; x.double() + 1; x.half() * 2; (x.bfloat16() + y).dtype == torch.float32 and x; x.to(torch.int32); x.long() + z.unsqueeze(1); torch.lerp(x, y, 0.3); torch.addcmul(x, y, y, value=0.2)
F.conv1d(x, y[:2, :, :3]); F.conv_transpose1d(x, y[0, :, :6].reshape(5, 2, 3), stride=2, padding=1, output_padding=1); F.max_pool1d(x, 3, 2, 1); F.max_pool2d(x, 2, ceil_mode=True); F.avg_pool1d(x, 3, stride=2, padding=1); F.avg_pool2d(x, 3, 2, 1, count_include_pad=False); F.adaptive_avg_pool1d(x, 3); F.adaptive_max_pool2d(x, (None, 3)); F.interpolate(x, scale_factor=2.5); F.interpolate(x.unsqueeze(0), size=(7, 9), mode='bilinear', align_corners=True); F.pixel_shuffle(x.reshape(1, 4, 5, 6), 2); F.unfold(x.unsqueeze(0), 2, padding=1); F.dropout(x, 0.5, training=False); F.dropout(x, 0.0)
F.local_response_norm(x, 3); F.lp_pool1d(x, 2, 3); F.channel_shuffle(x.reshape(3, 4, 10), 2); F.pixel_unshuffle(x.reshape(1, 3, 4, 10), 2); torch.median(y, 1)[0]; torch.diff(y); torch.count_nonzero(y > 0); torch.nan_to_num(y / (x > 0.5)); torch.logaddexp(x, y); torch.dist(x, y); torch.std_mean(y, 1); torch.trapezoid(y, dim=1)
`
  .trim()
  .split('\n')
  .map((line) => line.split(';').map((e) => e.trim()));

/** Modules: what __init__ makes as self.m and the input it is called with. */
const MODULES: readonly [string, string][] = [
  ['nn.Linear(8, 6)', 'torch.randn(3, 8)'],
  ['nn.Linear(8, 6, bias=False)', 'torch.randn(2, 3, 8)'],
  ['nn.Sequential(nn.Linear(8, 6), nn.ReLU(inplace=True), nn.Linear(6, 4))', 'torch.randn(3, 8)'],
  ['nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])[1]', 'torch.randn(3, 8)'],
  ['nn.LayerNorm((5, 8))', 'torch.randn(3, 5, 8)'],
  ['nn.LayerNorm(8, elementwise_affine=False)', 'torch.randn(3, 5, 8)'],
  ['nn.RMSNorm(8, eps=1e-6)', 'torch.randn(3, 8)'],
  ['nn.BatchNorm1d(5)', 'torch.randn(3, 5, 8)'],
  ['nn.BatchNorm2d(5, momentum=None, affine=False)', 'torch.randn(3, 5, 4, 2)'],
  ['nn.BatchNorm2d(5).eval()', 'torch.randn(3, 5, 4, 2)'],
  ['nn.GroupNorm(2, 6)', 'torch.randn(3, 6, 4)'],
  ['nn.InstanceNorm2d(5, affine=True)', 'torch.randn(3, 5, 4, 2)'],
  ['nn.Conv1d(5, 6, 3, padding="same", dilation=2)', 'torch.randn(3, 5, 9)'],
  ['nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), groups=2, padding_mode="reflect")', 'torch.randn(2, 4, 9, 8)'],
  ['nn.Conv3d(2, 4, 3, padding=1, bias=False)', 'torch.randn(1, 2, 5, 4, 6)'],
  ['nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)', 'torch.randn(2, 4, 5, 6)'],
  ['nn.ConvTranspose3d(2, 3, (2, 3, 4), dilation=2)', 'torch.randn(1, 2, 3, 4, 5)'],
  ['nn.MaxPool2d(3, 2, 1, ceil_mode=True)', 'torch.randn(2, 3, 8, 9)'],
  ['nn.AvgPool3d(2)', 'torch.randn(1, 2, 4, 5, 6)'],
  ['nn.AdaptiveAvgPool2d((1, 1))', 'torch.randn(2, 3, 8, 9)'],
  ['nn.PReLU(5)', 'torch.randn(3, 5, 4)'],
  ['nn.Embedding(7, 4, padding_idx=1)', 'torch.randint(0, 7, (3, 5))'],
  ['nn.LSTM(6, 4, 2, batch_first=True, bidirectional=True)', 'torch.randn(3, 5, 6)'],
  ['nn.GRU(6, 4)', 'torch.randn(5, 3, 6)'],
  ['nn.RNN(6, 4, nonlinearity="relu", bias=False)', 'torch.randn(5, 6)'],
  ['nn.LSTMCell(6, 4)', 'torch.randn(3, 6)'],
  ['nn.GRUCell(6, 4)', 'torch.randn(3, 6)'],
  ['nn.RNNCell(6, 4)', 'torch.randn(3, 6)'],
  ['nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)', 'torch.randn(3, 5, 8)'],
  [
    'nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", norm_first=True), 2)',
    'torch.randn(3, 5, 8)',
  ],
  ['nn.Softmax(dim=1)', 'torch.randn(3, 5)'],
  ['nn.Upsample(scale_factor=2, mode="nearest")', 'torch.randn(2, 3, 4, 5)'],
  ['nn.Bilinear(4, 4, 3)', 'torch.randn(3, 4), torch.randn(3, 4)'],
  ['nn.TripletMarginLoss(0.5)', 'torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 4)'],
  ['nn.CrossEntropyLoss()', 'torch.randn(3, 4), torch.randint(0, 4, (3,))'],
  ['nn.KLDivLoss(reduction="batchmean")', 'torch.randn(3, 4).log_softmax(1), torch.rand(3, 4).softmax(1)'],
  ['nn.Flatten()', 'torch.randn(3, 4, 2)'],
  ['nn.ZeroPad2d((1, 2, 0, 1))', 'torch.randn(1, 2, 3, 4)'],
  ['nn.ReflectionPad1d(2)', 'torch.randn(1, 2, 5)'],
];

/** Whole files' worth of Python: aliasing, state, indexing in place, Python control flow. */
const PROGRAMS: readonly [string, string, string][] = [
  [
    'writes through views reach their base',
    '',
    'a = x.clone()\nv = a[:, 1:3].transpose(1, 2)\nv += 1\na[0] = 2\nb = a.view(-1)\nb[3:7].mul_(5)\nreturn a, v, b.sum()',
  ],
  [
    'masks written in place, and padded',
    'self.attention = nn.MultiheadAttention(8, 2, batch_first=True)',
    'mask = torch.zeros(3, 5, dtype=torch.bool)\nmask[:, 4:] = True\nmask[0, 1] = 2\nmask[x[:, :, 0] > 2] = False\nwider = F.pad(mask[:, :3], (0, 2), value=True)\nn = z.clone()\nn[0] = 2.7\nreturn self.attention(x, x, x, key_padding_mask=mask)[0], x.masked_fill(wider[..., None], 1), mask, n',
  ],
  ['a reshape that copies is no alias', '', 'a = x.clone()\nb = a.transpose(1, 2).reshape(-1)\nb.zero_()\nreturn a, b'],
  [
    'assignment through masks and broadcasts',
    '',
    'a = y.clone()\na[a < 0] = 0\na[:, 0] = y[:, 1]\na[..., -1] += 1\na[1, :, 2:4] = torch.arange(2.0)\nreturn a',
  ],
  ['an input written in place', '', 'x.relu_()\nx.add_(y).clamp_(0, 1)\nreturn x * 2'],
  [
    'loops over shapes and .item() of constants',
    'self.k = torch.tensor(3).item()',
    'out = x\nfor i in range(x.size(1) - self.k):\n    out = out + i * y\nif x.shape[0] > 2:\n    out = out / x.dim()\nreturn out',
  ],
  [
    'buffers computed in __init__',
    'self.register_buffer("mask", torch.tril(torch.ones(5, 5)).view(1, 5, 5))\nself.scale = nn.Parameter(torch.ones(8) * 0.5)\nself.register_buffer("none", None)',
    'att = x @ y.transpose(1, 2) / math.sqrt(x.size(-1))\natt = att.masked_fill(self.mask[:, :5, :5] == 0, float("-inf"))\nreturn F.softmax(att, -1) @ (y * self.scale)',
  ],
  [
    'shared parameters and nested modules',
    'self.a = nn.Linear(8, 8)\nself.b = nn.Sequential(self.a, nn.ModuleDict({"c": nn.Linear(8, 8)})["c"])\nself.p = nn.ParameterList([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.ones(1))])',
    'return self.b(self.a(x)) + self.p[1]',
  ],
  [
    'initialisers',
    'self.w = nn.Parameter(torch.Tensor(8, 8))\nnn.init.xavier_uniform_(self.w)\nself.v = nn.Parameter(torch.empty(8))\nnn.init.normal_(self.v, std=0.02)\nself.apply(lambda m: None)',
    'return x @ self.w + self.v',
  ],
  [
    'no_grad, detach and data',
    '',
    'with torch.no_grad():\n    m = x.max(dim=-1, keepdim=True)[0].detach()\ne = torch.exp(x - m)\ne.data.mul_(2)\nreturn e / e.sum(-1, keepdim=True)',
  ],
  [
    'an autograd.Function',
    'class Twice(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, a):\n        ctx.save_for_backward(a)\n        return 2 * a\nself.f = Twice.apply',
    'return self.f(x).cpu().to(y.device).contiguous()',
  ],
  [
    'torch.functional',
    'import torch.functional as TF\nself.split = TF.split',
    'import torch.functional as TF\nreturn TF.norm(self.split(x, 3, -1)[0], dim=-1)',
  ],
];

/** One file a line of the table. */
const expressionFiles = EXPRESSIONS.map((some): [string, string] => {
  const lines = some.map((e, k) => `r${k} = ${e.replace('y.clamp_', 'y.clone().clamp_')}`);
  return [some.join('; '), task('', [...lines, `return [${some.map((_, k) => `r${k}`).join(', ')}]`].join('\n'), X)];
});

/** One file a dozen modules; each call takes its own part of *inputs. */
function moduleFiles(): [string, string][] {
  const files: [string, string][] = [];
  for (let at = 0; at < MODULES.length; at += 12) {
    const some = MODULES.slice(at, at + 12);
    let index = 0;
    const calls = some.map(([, inputs], i) => {
      const n = inputs.split('torch.').length - 1;
      return `r.append(self.m${i}(${Array.from({ length: n }, () => `x[${index++}]`).join(', ')}))`;
    });
    const init = some.map(([m], i) => `self.m${i} = ${m}`).join('\n');
    const source = task(init, ['r = []', ...calls, 'return r'].join('\n'), some.map(([, x]) => x).join(', '));
    files.push([some.map(([m]) => m).join('; '), source.replace('x, y=None, z=None', '*x')]);
  }
  return files;
}

const programFiles = PROGRAMS.map(([name, init, forward]): [string, string] => [name, task(init, forward, X)]);

/** The gradients, where all of them are supported. */
function backwardOf(graph: Graph): Backward | undefined {
  try {
    return backwardGraph(graph);
  } catch (error) {
    if (error instanceof TaskError && error.kind === 'unsupported') return undefined;
    throw error;
  }
}

describe('tracing agrees with real PyTorch', () => {
  const found = pythonWithTorch();
  const skip = 'missing' in found && found.missing;
  const files = { expressions: expressionFiles, modules: moduleFiles(), programs: programFiles };
  /** Name of a file -> how it disagrees. */
  const wrong = new Map<string, string>();
  let compared = 0;
  /** Files whose gradients were compared too: all but those with an operator that has none here, and those that stop gradients. */
  let differentiated = 0;

  before(async () => {
    if ('missing' in found) return;
    const cacheDir = await testCache();
    const all = Object.values(files).flat();
    const cases: Case[] = [];
    // The texts are ours, so one sandbox may serve them all.
    const sandbox = await Sandbox.open(cacheDir);
    try {
      for (const [name, source] of all) {
        const { graph, stops } = readAnswer(name, await sandbox.trace(JSON.stringify({ source })));
        const backward = stops || !evaluable(graph) ? undefined : backwardOf(graph);
        if (backward) differentiated++;
        cases.push({ source, graph, backward });
      }
    } finally {
      sandbox.close();
      rmSync(cacheDir, { recursive: true, force: true });
    }
    (await disagreements(found, cases, 5e-5)).forEach((why, i) => {
      // What PyTorch cannot differentiate (a file's own Function, class weights) is left to the operators' finite differences.
      if (why && !why.startsWith(REFUSED)) wrong.set(all[i]![0], why);
    });
    compared = cases.filter((c) => evaluable(c.graph)).length;
  });

  for (const [kind, some] of Object.entries(files)) {
    test(`${kind}: names, shapes, order and values`, { skip }, () => {
      assert.deepEqual(
        some.filter(([name]) => wrong.has(name)).map(([name]) => `${name}: ${wrong.get(name)}`),
        [],
      );
    });
  }

  test("a graph that is not the file's is told", { skip }, async () => {
    if ('missing' in found) return;
    const cacheDir = await testCache();
    try {
      const tracer = new FileTracer('task.py', task('', 'return x.relu()', X), cacheDir);
      const { graph } = await tracer.trace();
      await tracer.close();
      const other = task('', 'return x.sigmoid()', X);
      const [why] = await disagreements(found, [{ source: other, graph }], 5e-5);
      assert.match(why ?? '', /values differ/);
    } finally {
      rmSync(cacheDir, { recursive: true, force: true });
    }
  });

  test('every file is compared by value, not by shape alone', { skip }, () => {
    const all = Object.values(files).flat().length;
    assert.equal(compared, all);
    assert.ok(differentiated >= 0.8 * all, `${differentiated} of ${all} by their gradients too`);
  });
});
