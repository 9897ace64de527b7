/**
 * What an engineer is told of a judgement, made of its evidence: findings, the profile and the build, in words. Never the judge's inputs, seeds or
 * tolerances: the reason's words about them are taken out, and nothing else of the evidence is looked at.
 */
import type { Evidence } from '../../judge/index.ts';
import type { Feedback } from '../ports.ts';

/** Findings of the device that are told; the others are of the same few kinds. */
const mostFindings = 4;

/** `check` and `reason` as the verdict has them; no evidence where the candidate could not be prepared. */
export function feedbackOf(
  verdict: { outcome: string; check?: string | null; reason: string | null },
  evidence: Evidence | null | undefined,
): Feedback {
  const wrong = verdict.outcome === 'rejected' || verdict.outcome === 'unjudgeable';
  const findings = wrong && verdict.reason ? [withoutTheJudgesSecrets(verdict.reason)] : [];
  for (const finding of wrong ? (evidence?.findings ?? []).slice(0, mostFindings) : []) {
    const where = finding.source ? ` (line ${finding.source.line} of the candidate, kernel ${finding.kernel})` : '';
    if (!findings[0]?.includes(finding.message)) findings.push(`${finding.message}${where}`);
  }
  const modelled = evidence?.fullSizeTime?.modelled ?? evidence?.modelled;
  return {
    findings,
    profile: [
      ...(evidence?.profile?.launches ?? []).map(({ kernel, words }) => `${kernel}: ${words.join(' ')}`),
      ...(evidence?.hardware?.profile?.words ?? []).map((said) => `On the GPU: ${said}`),
    ],
    ...(modelled && { limitedBy: modelled.limitedBy, resources: modelled.resources ?? [] }),
    build: (evidence?.build?.resources ?? []).map(
      (one) =>
        `${one.entry}: ${one.registers} registers a thread, ${one.staticSharedBytes} bytes of static shared memory` +
        (one.spillStoreBytes + one.spillLoadBytes > 0
          ? `, spills ${one.spillStoreBytes} bytes out and ${one.spillLoadBytes} back`
          : ', no spills'),
    ),
  };
}

/** The judge's reason without how inputs were drawn and how far off a value may be. */
export function withoutTheJudgesSecrets(reason: string): string {
  return reason
    .replace(/\(inputs: [^;)]*; /g, '(')
    .replace(/ \(inputs: [^)]*\)/g, '')
    .replace(/, and may be off by [0-9.e+-]*[0-9]/g, '')
    .replace(
      /off by [0-9.e+-]*[0-9] of it \(root mean square\), where honest kernels are off by [0-9.e+-]*[0-9] and [0-9.e+-]*[0-9] is the limit/g,
      'further off than honest kernels are',
    );
}
