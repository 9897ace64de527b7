/** All families of the operators' test cases. */
import type { Draws } from './cases.ts';
import { contractionCases, layoutCases, pointwiseCases, reductionCases, spatialCases } from './cases.ts';
import { emptyCases } from './cases-empty.ts';
import type { OperatorCase } from './oracle.ts';

export const caseFamilies: readonly { name: string; make: (d: Draws) => OperatorCase[] }[] = [
  { name: 'pointwise operators', make: pointwiseCases },
  { name: 'reductions and operators along a dimension', make: reductionCases },
  { name: 'normalisations, contractions and losses', make: contractionCases },
  { name: 'views and indexing', make: layoutCases },
  { name: 'convolutions, windows, resampling and recurrent layers', make: spatialCases },
  { name: 'operators of nothing', make: emptyCases },
];
