/** What was seen of a candidate at the file's own shapes. */
import type { SampledLaunch } from '../device/index.ts';
import type { TensorSpec } from '../task/index.ts';
import type { Proof } from './proof.ts';

/** What was seen of one output. */
export interface FullSizeOutput {
  name: string;
  /** Elements that were compared with the reference, and the rows they lie in. */
  compared: number;
  rows: readonly number[];
  /** Largest error over what is allowed. */
  worst?: number;
  /** Whether every element was seen to be written. */
  everyElementWritten: boolean;
  /** Why no values were compared. */
  notCompared?: string;
}

/** What is known of a candidate at the task's own shapes. */
export interface FullSizeReport {
  tensors: readonly { name: string; spec: TensorSpec }[];
  launches: readonly SampledLaunch[];
  outputs: readonly FullSizeOutput[];
  /** Why nothing was looked at. */
  notChecked?: string;
  /** The candidate is wrong. */
  proof?: Proof;
}
