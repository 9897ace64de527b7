/** NVIDIA's tools over a faulty kernel and a right one: that they are there, may be used, and that what they write is read as it is meant. */

import { build, call, launch, plan, ramp } from '../../src/device/cuda/kernels.fixture.ts';
import {
  computeSanitizer,
  countersInWords,
  nsightCompute,
  timeVariants,
  variantsInWords,
} from '../../src/device/index.ts';
import type { Stage } from './place.ts';
import { anyOperands } from './time-plan.ts';

const limits = { milliseconds: 120_000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e5 };

export const toolsStage: Stage = {
  name: 'tools',
  purpose: 'compute-sanitizer, Nsight Compute, and times of variants',
  run: async ({ gpu, fake, simulated }) => {
    const on = { gpu, fake };
    const request = (entry: string) => ({ plan: plan([launch(entry)]), build, calls: [call(ramp(1))], limits });
    const [clean, faulty] = [
      await computeSanitizer(on, request('twice')),
      await computeSanitizer(on, request('far_away')),
    ];
    const counted = await nsightCompute(on, request('twice'));
    const timed = { plan: plan([launch('twice')]), build };
    const times = await timeVariants({
      ...{ ...on, timed, operands: anyOperands(timed.plan), secret: '00'.repeat(32) },
      ...(simulated ? { mostCalls: 2 } : {}),
    });
    const lines = [
      'missing' in clean
        ? clean.missing
        : `compute-sanitizer ${clean.version}: ${clean.findings.length} findings in a right kernel`,
      'missing' in faulty
        ? faulty.missing
        : `and in a faulty one: ${faulty.findings.map(({ kind }) => kind).join(', ') || 'none'}`,
      'missing' in counted ? counted.missing : countersInWords(counted.launches[0]!).join(' '),
      'missing' in times ? times.missing : variantsInWords(times).join(' '),
    ];
    const sanitizerRight =
      'missing' in clean || (clean.findings.length === 0 && 'findings' in faulty && faulty.findings.length > 0);
    const passed = sanitizerRight && !('missing' in times);
    return { passed, content: { clean, faulty, counted, times }, words: lines.join('\n') };
  },
};
