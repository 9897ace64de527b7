/** Did the device find undefined behaviour: a result that happens to be right is then right by luck. */
import type { Finding, FindingKind } from '../../vgpu/index.ts';
import type { Proof } from '../proof.ts';
import { type Check, passed } from '../question.ts';

/** What to do about each kind of finding. */
const ADVICE: Readonly<Partial<Record<FindingKind, string>>> = {
  'out-of-bounds': 'Guard the access with the true size (`if (i < n)`), and check the launch shape.',
  misaligned:
    'A vector access needs an address that is a multiple of its size: check that the row length is a multiple of the vector width.',
  'uninitialised-read': 'Write the memory before reading it: `torch::empty` and shared memory hold anything at all.',
  'barrier-divergence':
    'Every thread of the block must reach the same `__syncthreads()`: move it out of the branch or loop that some threads leave.',
  race: 'Put a barrier between the write and the other access, or make it atomic.',
  'missing-syncwarp': 'Put `__syncwarp()` between the write and the read by another lane.',
  'stale-read':
    'Read it by a plain load: without `__ldg`, through a pointer that is not both `const` and `__restrict__`.',
  'absent-lane': 'The mask names lanes that do not take part: use the mask of the lanes that do.',
};

/** The finding that a person should read first: the first one made. */
function describe(finding: Finding, source: string): string {
  const line = finding.source?.line;
  const text = line === undefined ? undefined : source.split('\n')[line - 1]?.trim();
  const where = text ? ` Line ${line}: \`${text}\`.` : '';
  const times = finding.count > 1 ? ` (${finding.count.toLocaleString('en-US')} times)` : '';
  const message = finding.message.replace(/\.?$/, `${times}.`);
  return [message + where, ADVICE[finding.kind]].filter(Boolean).join(' ');
}

/** The proof that findings are; the first is told. `source`: the candidate's. */
export function findingProof(findings: readonly Finding[], source: string): Proof {
  const [finding] = findings as readonly [Finding];
  const others = findings.length - 1;
  const more = others > 0 ? ` (${others} other ${others === 1 ? 'finding' : 'findings'} in the evidence.)` : '';
  return {
    reason: describe(finding, source) + more,
    details: { kind: finding.kind, kernel: finding.kernel, line: finding.source?.line ?? null },
    findings,
  };
}

export const deviceFindings: Check = {
  id: 'device-findings',
  question: 'Does it stay within its memory, read only what was written, synchronise properly, and end without a trap?',
  catches: [
    'C5',
    'C17',
    'C18',
    'out-of-bounds access',
    'misaligned access',
    'uninitialised read',
    'divergent barrier',
    'race',
    'missing __syncwarp',
    'trap',
    'failed assert',
    'deadlock',
    'bad launch',
  ],
  stages: ['first-call', 'sequence'],
  devices: ['virtual', 'cuda'],
  cost: 1,
  run({ trial }) {
    const run = trial.runs.at(-1);
    if (run === undefined || (run.status !== 'completed' && run.status !== 'faulted')) {
      return { status: 'not-asked', reason: 'Nothing ran to an end.' };
    }
    const finding = run.findings[0];
    if (finding === undefined) {
      if (run.status === 'completed') return passed();
      return { status: 'rejected', proof: { reason: run.message, details: { callsCompleted: run.callsCompleted } } };
    }
    return { status: 'rejected', proof: findingProof(run.findings, trial.candidate.source) };
  },
};
