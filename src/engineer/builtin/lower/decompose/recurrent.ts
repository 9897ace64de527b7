/** Recurrent layers: the products with the inputs at once for all times, then a kernel that goes from step to step. */
import { recurrentSharedBytes } from '../emit/recurrent-kernel.ts';
import type { RecurrentStep, View } from '../program.ts';
import { storage } from '../scalar.ts';
import { type Lowering, mostShared } from './context.ts';
import { matrixProduct } from './contractions.ts';
import type { Rule } from './pointwise.ts';
import { joined } from './views.ts';

const gates = { lstm: 4, gru: 3, tanh: 1, relu: 1 } as const;

const recurrent =
  (cellOf: (lower: Lowering) => RecurrentStep['cell']): Rule =>
  (lower) => {
    const cell = cellOf(lower);
    const batchFirst = lower.has('batch_first');
    const [layers, directions] = [lower.number('num_layers'), lower.has('bidirectional') ? 2 : 1];
    const hidden = lower.number('hidden_size');
    const states = cell === 'lstm' ? 2 : 1;
    let x = batchFirst ? lower.permute(lower.input(0), [1, 0, 2]) : lower.input(0);
    const [steps, batch] = [x.shape[0]!, x.shape[1]!];
    const dtype = lower.dtype(x);
    const bytes = recurrentSharedBytes(cell, hidden, storage[dtype].compute);
    if (bytes > mostShared)
      lower.fail(`${hidden} hidden units need ${bytes} bytes of shared memory, more than the ${mostShared} of a block`);
    let operand = 1 + states;
    const last: View[][] = [];
    for (let layer = 0; layer < layers; layer++) {
      const outputs: View[] = [];
      const width = x.shape[2]!;
      const flat = lower.reshape(x, [steps * batch, width]);
      for (let direction = 0; direction < directions; direction++) {
        const [ofInput, ofHidden] = [lower.input(operand), lower.input(operand + 1)];
        const biases = lower.has('bias') ? [lower.input(operand + 2), lower.input(operand + 3)] : [];
        operand += 2 + biases.length;
        let fromInput = matrixProduct(lower, flat, lower.permute(ofInput, [1, 0]));
        if (biases[0]) fromInput = lower.compute('biased', [fromInput, biases[0]], dtype, ([y, b]) => `${y} + ${b}`);
        const initial = Array.from({ length: states }, (_, s) =>
          lower.reshape(lower.slice(lower.input(1 + s), 0, layer * directions + direction, 1), [batch, hidden]),
        );
        const all = lower.result('h_all', [steps, batch, hidden], dtype);
        const cellState = cell === 'lstm' ? [lower.result('c_last', [batch, hidden], dtype)] : [];
        const reverse = direction === 1;
        lower.own({
          ...{ kind: 'recurrent', cell, steps, batch, hidden, reverse, initial, weight: ofHidden, bias: biases[1] },
          outs: [all, ...cellState].map(({ value }) => value),
          fromInput: lower.reshape(fromInput, [steps, batch, gates[cell] * hidden]),
        });
        outputs.push(all);
        last.push([
          lower.slice(all, 0, reverse ? 0 : steps - 1, 1),
          ...cellState.map((c) => lower.reshape(c, [1, batch, hidden])),
        ]);
      }
      x = joined(lower, 'layer', outputs, 2);
    }
    lower.output(batchFirst ? lower.permute(x, [1, 0, 2]) : x);
    for (let s = 0; s < states; s++)
      lower.output(
        joined(
          lower,
          s === 0 ? 'h_n' : 'c_n',
          last.map((own) => own[s]!),
          0,
        ),
        1 + s,
      );
  };

export const recurrentRules: Readonly<Record<string, Rule>> = {
  lstm: recurrent(() => 'lstm'),
  gru: recurrent(() => 'gru'),
  rnn: recurrent((lower) => (lower.node.attributes.nonlinearity === 'relu' ? 'relu' : 'tanh')),
};
