/** What was taken, as it was taken: the raw material of every number in a report, and part of the evidence. */
import type { TimedSubject, TimedWindow, TimingFacts, WindowRequest } from '../../device/index.ts';

/** One window: what was asked and what came. */
export interface Sample {
  readonly request: WindowRequest;
  readonly window: TimedWindow;
}

/** Windows in the order taken. */
export type Block = readonly Sample[];

/** Everything from one set of fresh processes. */
export interface ProcessRecord {
  readonly process: number;
  /** Taken first, in the same way, and not counted: clocks and caches settle. */
  readonly settling: Block;
  readonly blocks: readonly Block[];
}

/** All that an analysis may look at. */
export interface Records {
  readonly facts: TimingFacts;
  readonly subjects: readonly TimedSubject[];
  /** Calls in a window. */
  readonly calls: number;
  readonly processes: readonly ProcessRecord[];
}

/** The candidate and the baselines. @throws unless there is one candidate and at least one baseline, each with a name of its own. */
export function rolesOf(subjects: readonly TimedSubject[]): { candidate: TimedSubject; baselines: TimedSubject[] } {
  const candidates = subjects.filter(({ role }) => role === 'candidate');
  const baselines = subjects.filter(({ role }) => role === 'baseline');
  const names = new Set(subjects.map(({ id }) => id));
  if (candidates.length !== 1 || baselines.length === 0 || names.size !== subjects.length) {
    throw new RangeError(
      `A comparison is of one candidate with one or more baselines, each with its own name; these are ${subjects.map(({ id, role }) => `${id} (${role})`).join(', ') || 'none'}.`,
    );
  }
  return { candidate: candidates[0]!, baselines };
}

/** Windows that count of each process, by subject and work: they are asked for many times, and a record never changes. */
const grouped = new WeakMap<ProcessRecord, Map<string, Sample[]>>();

function groupsOf(record: ProcessRecord): Map<string, Sample[]> {
  let groups = grouped.get(record);
  if (groups === undefined) {
    groups = new Map();
    for (const block of record.blocks) {
      for (const sample of block) {
        const key = `${sample.request.work} ${sample.request.subject}`;
        const group = groups.get(key);
        if (group === undefined) groups.set(key, [sample]);
        else group.push(sample);
      }
    }
    grouped.set(record, groups);
  }
  return groups;
}

/** All windows of a subject that count, with work of one kind, in the order taken. */
export function samplesOf(records: Pick<Records, 'processes'>, subject: string, work: WindowRequest['work']): Sample[] {
  const samples: Sample[] = [];
  for (const record of records.processes) {
    const group = groupsOf(record).get(`${work} ${subject}`) ?? [];
    for (const sample of group) samples.push(sample);
  }
  return samples;
}
