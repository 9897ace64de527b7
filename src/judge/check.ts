/**
 * The registry of checks: what the judge asks of a candidate, in the order it asks. Each check is a small module in checks/ that
 * names the cheats (ids of the catalogue, e.g. `C1` stale output reuse) and faults it exists to catch. The plan asks cheap
 * questions first and stops at the first proof.
 */
import { callsIndependent } from './checks/calls-independent.ts';
import { completes } from './checks/completes.ts';
import { deviceFindings } from './checks/device-findings.ts';
import { everyOutputWritten } from './checks/every-output-written.ts';
import { inputsUnchanged } from './checks/inputs-unchanged.ts';
import { launchesKernels } from './checks/launches-kernels.ts';
import { nanAndInfinity } from './checks/nan-and-infinity.ts';
import { outputShape } from './checks/output-shape.ts';
import { poisonIndependent } from './checks/poison-independent.ts';
import { repeatable } from './checks/repeatable.ts';
import { values } from './checks/values.ts';
import type { Trial } from './trial.ts';
import type { CheckAnswer, CheckResult, Stage } from './types.ts';

/** What a check may look at. */
export interface CheckContext {
  readonly trial: Trial;
  readonly stage: Stage;
  /** Indices of the calls that this stage made and that completed; empty in stage `plan`. */
  readonly calls: readonly number[];
}

export interface Check {
  readonly id: string;
  /** The one question it asks. */
  readonly question: string;
  /** Ids of the catalogue of cheats, and faults in words. */
  readonly catches: readonly string[];
  /** The stages in which it is asked; it needs what that stage has seen. */
  readonly stages: readonly Stage[];
  /** Kinds of device it can be asked on. */
  readonly devices: readonly ('virtual' | 'cuda')[];
  /** Relative cost of asking: 0 looks at the plan, 1 at bytes that are there, 5 computes references, 9 runs the candidate again. */
  readonly cost: number;
  run(context: CheckContext): CheckAnswer | Promise<CheckAnswer>;
}

/** Every check there is. */
export const checks: readonly Check[] = [
  launchesKernels,
  outputShape,
  completes,
  deviceFindings,
  everyOutputWritten,
  inputsUnchanged,
  repeatable,
  poisonIndependent,
  callsIndependent,
  values,
  nanAndInfinity,
];

/** The checks of a stage, cheap first; ties keep the registry's order. */
export function planStage(stage: Stage, device: 'virtual' | 'cuda', registry: readonly Check[] = checks): Check[] {
  return registry
    .filter((check) => check.stages.includes(stage) && check.devices.includes(device))
    .sort((a, b) => a.cost - b.cost);
}

/** Asks the checks of a stage in turn; stops after the first that rejects or cannot judge. */
export async function runStage(
  plan: readonly Check[],
  context: CheckContext,
  onResult: (result: CheckResult) => void,
): Promise<CheckResult | undefined> {
  for (const check of plan) {
    const start = performance.now();
    const answer = await check.run(context);
    const result = { check: check.id, stage: context.stage, answer, milliseconds: performance.now() - start };
    onResult(result);
    if (answer.status === 'rejected' || answer.status === 'unjudgeable') return result;
  }
  return undefined;
}

export const passed = (remark?: string): CheckAnswer => ({ status: 'passed', remark });
