/** Gradients of pooling and resampling: each window's gradient goes back to where its elements lay. */
import type { Differentiability } from './gradient.ts';

/** The operator NAME_backward, of x and the output's gradient, with the same attributes. */
const scattered =
  (name: string): Differentiability =>
  ({ g, grad, inputs, raw }) => [g.node(name, [inputs[0]!, grad], raw)];

/** The same, where the values of x do not matter: its sizes are an attribute, so that no kernel must read it. */
const spread =
  (name: string): Differentiability =>
  ({ g, grad, inputs, raw }) => [g.node(name, [grad], { ...raw, size: inputs[0]!.spec.shape })];

/** By operator. */
export const windowGradients: Readonly<Record<string, Differentiability>> = {
  ...Object.fromEntries(
    [1, 2, 3].flatMap((n) => [
      [`max_pool${n}d`, scattered('max_pool_backward')],
      [`avg_pool${n}d`, spread('avg_pool_backward')],
    ]),
  ),
  adaptive_max_pool: scattered('adaptive_max_pool_backward'),
  adaptive_avg_pool: spread('adaptive_avg_pool_backward'),
  interpolate: spread('interpolate_backward'),
  im2col: spread('col2im'),
  max_pool_backward: 'unsupported',
  avg_pool_backward: 'unsupported',
  adaptive_max_pool_backward: 'unsupported',
  adaptive_avg_pool_backward: 'unsupported',
  interpolate_backward: 'unsupported',
  col2im: 'unsupported',
};
