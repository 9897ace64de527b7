/** Gradients of the recurrent layers: one operator each that runs back through time. */
import type { Differentiability } from './gradient.ts';

/** NAME_backward of the forward's operands and all outputs' gradients, zeros for those that nothing flows into. */
const throughTime =
  (name: string): Differentiability =>
  ({ g, inputs, outputs, grads, raw }) =>
    g.nodes(`${name}_backward`, [...inputs, ...outputs.map((output, o) => grads[o] ?? g.zerosLike(output))], raw);

/** By operator. */
export const recurrentGradients: Readonly<Record<string, Differentiability>> = {
  lstm: throughTime('lstm'),
  gru: throughTime('gru'),
  rnn: throughTime('rnn'),
  lstm_backward: 'unsupported',
  gru_backward: 'unsupported',
  rnn_backward: 'unsupported',
};
