/** All gradients by operator: one file a family, beside the families' operators. Every operator of the table has an entry; a test holds it. */
import { binaryGradients } from './binary.ts';
import { contractionGradients } from './contract.ts';
import type { Differentiability } from './gradient.ts';
import { indexingGradients, layoutGradients } from './layout.ts';
import { lossGradients } from './loss.ts';
import { normalisationGradients } from './normalise.ts';
import { pointwiseGradients } from './pointwise.ts';
import { recurrentGradients } from './recurrent.ts';
import { alongGradients, reductionGradients } from './reduce.ts';
import { windowGradients } from './window.ts';

const gradients: ReadonlyMap<string, Differentiability> = new Map(
  [
    pointwiseGradients,
    binaryGradients,
    reductionGradients,
    alongGradients,
    normalisationGradients,
    contractionGradients,
    windowGradients,
    lossGradients,
    layoutGradients,
    indexingGradients,
    recurrentGradients,
    { dropout: 'unsupported' } as const,
  ].flatMap((family) => Object.entries<Differentiability>(family)),
);

/** The gradient of the operator of this name. */
export function gradientOf(name: string): Differentiability {
  const gradient = gradients.get(name);
  if (gradient === undefined) throw new Error(`The operator \`${name}\` says nothing of its gradient.`);
  return gradient;
}
