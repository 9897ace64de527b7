/** A schedule: every choice that turns a program into kernels. JSON, so that it can be stored, mutated and compared. */
import type { MapKnobs } from './emit/map-kernel.ts';
import type { MmaKnobs } from './emit/mma-kernel.ts';
import type { PipelineKnobs } from './emit/pipeline-plan.ts';
import type { RecurrentKnobs } from './emit/recurrent-kernel.ts';

import type { RowKnobs } from './emit/row-plan.ts';
import type { ScanKnobs } from './emit/scan-kernel.ts';
import type { SortKnobs } from './emit/sort-kernel.ts';
import type { TileKnobs } from './emit/tile-kernel.ts';
import type { WindowKnobs } from './emit/window-kernel.ts';

export type KernelChoice =
  | ({ family: 'map' } & MapKnobs)
  | ({ family: 'row' } & RowKnobs)
  | ({ family: 'tile' } & TileKnobs)
  | ({ family: 'mma' } & MmaKnobs)
  | ({ family: 'pipeline' } & PipelineKnobs)
  | ({ family: 'window' } & WindowKnobs)
  | ({ family: 'scan' } & ScanKnobs)
  | ({ family: 'sort' } & SortKnobs)
  | ({ family: 'recurrent' } & RecurrentKnobs);

export interface Schedule {
  /** `operator`: a kernel for each operator. `fused`: as few as is worthwhile. */
  fusion: 'operator' | 'fused';
  /** Reductions cut into parts: the value they make (id in the unsplit program) to the number of parts. */
  splits: Readonly<Record<string, number>>;
  /** One choice for each kernel, in launch order. */
  kernels: readonly KernelChoice[];
}
