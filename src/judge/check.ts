/**
 * The registry of checks: what the judge asks of a candidate, in the order it asks. Each check is a small module in checks/ that
 * names the cheats (ids of the catalogue, e.g. `C1` stale output reuse) and faults it exists to catch. The plan asks cheap
 * questions first and stops at the first proof.
 */
import { callsIndependent } from './checks/calls-independent.ts';
import { completes } from './checks/completes.ts';
import { deviceFindings } from './checks/device-findings.ts';
import { deviceSanitizer } from './checks/device-sanitizer.ts';
import { everyOutputWritten } from './checks/every-output-written.ts';
import { fullSize } from './checks/full-size.ts';
import { hostFunction } from './checks/host-function.ts';
import { inputsUnchanged } from './checks/inputs-unchanged.ts';
import { launchesKernels } from './checks/launches-kernels.ts';
import { nanAndInfinity } from './checks/nan-and-infinity.ts';
import { outputShape } from './checks/output-shape.ts';
import { poisonIndependent } from './checks/poison-independent.ts';
import { repeatable } from './checks/repeatable.ts';
import { timedOutputs } from './checks/timed-outputs.ts';
import { values } from './checks/values.ts';
import type { Check, CheckContext, CheckFacts } from './question.ts';
import type { CheckResult, Stage } from './types.ts';

/** The checks of a candidate on trial. */
const trialChecks: readonly Check[] = [
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
  fullSize,
];

/** Every check there is. */
export const checks: readonly CheckFacts[] = [hostFunction, ...trialChecks, deviceSanitizer, timedOutputs];

/** The checks of a stage, cheap first; ties keep the registry's order. */
export function planStage(stage: Stage, device: 'virtual' | 'cuda', registry: readonly Check[] = trialChecks): Check[] {
  return registry
    .filter((check) => check.stages.includes(stage) && check.devices.includes(device))
    .sort((a, b) => a.cost - b.cost);
}

/** Asks the checks of a stage in turn; stops after the first that rejects or cannot judge. */
export async function runStage(
  plan: readonly Check[],
  context: CheckContext,
  device: CheckResult['device'],
  onResult: (result: CheckResult) => void,
): Promise<CheckResult | undefined> {
  for (const check of plan) {
    if (check.applies?.(context.trial) === false) continue;
    const start = performance.now();
    const answer = await check.run(context);
    const milliseconds = performance.now() - start;
    const result = { check: check.id, stage: context.stage, answer, milliseconds, device };
    onResult(result);
    if (answer.status === 'rejected' || answer.status === 'unjudgeable') return result;
  }
  return undefined;
}
