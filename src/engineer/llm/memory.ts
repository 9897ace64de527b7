/**
 * What a run has learned, distilled: not the conversation, but what was tried, what it did to the time, and why it failed. Whole histories make
 * models repeat themselves; a dozen lines do not.
 */
import type { SearchRecord } from '../ports.ts';
import { failureInBrief } from './findings.ts';

/** Every name of an engineer that asks a model begins with this. */
export const llmPrefix = 'llm ';

/** Whether a model or an agent wrote it: its changes are ideas, those of others are settings. */
export function byModel({ engineer }: Pick<SearchRecord, 'engineer'>): boolean {
  return engineer.startsWith(llmPrefix) || engineer === 'agent';
}

const mostLines = 10;

/** Attempts of this run, the latest last; empty when nothing was tried. */
export function triedInWords(history: readonly SearchRecord[]): string {
  const byId = new Map(history.map((record) => [record.id, record]));
  const tried = history.filter((record) => byModel(record) && record.evaluation);
  const lines = tried.map((record) => `- ${record.summary}: ${outcomeInWords(record, byId)}`);
  return [...new Set(lines)].slice(-mostLines).join('\n');
}

function outcomeInWords(record: SearchRecord, byId: ReadonlyMap<string, SearchRecord>): string {
  const { evaluation, parents } = record;
  if (evaluation!.outcome === 'passed over') return 'slower by its profile, not judged';
  const time = evaluation!.microseconds;
  if (time === undefined) return `failed (${failureInBrief(evaluation!)})`;
  const before = parents.map((id) => byId.get(id)?.evaluation?.microseconds).find((one) => one !== undefined);
  if (before === undefined) return 'correct';
  const ratio = time / before;
  if (Math.abs(ratio - 1) < 0.01) return 'correct, no faster';
  return ratio < 1
    ? `correct, ${(1 / ratio).toFixed(2)} times faster`
    : `correct, but ${ratio.toFixed(2)} times slower`;
}

/** A failure of another run, for lessons. */
export interface PastFailure {
  check: string | null;
  reason: string | null;
}

const mostLessons = 6;

/**
 * Mistakes that came up again and again in other tasks' runs, the commonest first. Numbers and names are taken out of reasons, so that the same
 * mistake in two kernels is one.
 */
export function lessonsInWords(failures: readonly PastFailure[]): string {
  const counts = new Map<string, { times: number; example: string }>();
  for (const { check, reason } of failures) {
    if (!check || !reason) continue;
    const example = failureInBrief({ outcome: 'rejected', check, reason });
    const key = example.replace(/[`"'][^`"']*[`"']/g, '"').replace(/\d+/g, '0');
    const known = counts.get(key);
    if (known) known.times++;
    else counts.set(key, { times: 1, example });
  }
  return [...counts.values()]
    .filter(({ times }) => times > 1)
    .sort((a, b) => b.times - a.times)
    .slice(0, mostLessons)
    .map(({ times, example }) => `- ${times} times: ${example}`)
    .join('\n');
}
