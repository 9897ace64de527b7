/**
 * Reports as SARIF 2.1.0, which code hosts and editors show beside the code.
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
import type { FindingKind } from '../types.ts';
import type { SanitizeReport, SanitizerFinding } from './sanitizer.ts';

/** What each kind means, for people who see it in a list of rules. */
export const KIND_MEANINGS: Readonly<Record<FindingKind, string>> = {
  'out-of-bounds':
    'An access outside the allocation that its pointer belongs to, or to memory not passed to the launch.',
  misaligned: 'An access whose address is not a multiple of its size.',
  'use-after-free': 'An access to memory that has been freed.',
  'uninitialised-read': 'A read of bytes that nothing has written.',
  'write-to-readonly': 'A write to an input that the launch declares const, or to constant memory.',
  race: 'Two accesses to the same bytes, at least one a write, that no barrier, fence or atomic orders.',
  'barrier-divergence': 'Threads of a block meet at different barriers.',
  'missing-syncwarp': 'Lanes of a warp exchange data through memory without __syncwarp.',
  'stale-read': 'A load through the read-only cache (__ldg, const __restrict__) of what the same launch wrote.',
  'absent-lane': 'A warp operation whose mask names a lane that does not take part.',
  deadlock: 'Threads wait for what can never come.',
  'stack-overflow': 'Calls or recursion need more stack than a thread has.',
  'unfinished-async-copy': 'An asynchronous copy is used before, or left after, it was waited for.',
  trap: 'The kernel ended itself by a trap.',
  assert: 'An assertion in the kernel failed.',
  'budget-exceeded': 'The kernel ran longer than its budget of instructions; it may never end.',
  'bad-launch': 'A launch that every GPU refuses.',
  'order-dependence': 'The result depends on the order in which threads happen to run.',
};

export interface SarifOptions {
  /** Version of the tool. */
  version: string;
  /** URI of a file, given its name in the line information. */
  uri?(file: string): string;
  /** Used for findings without line information: the file that was checked. */
  file: string;
}

/** The SARIF log of some launches, as a JSON value. */
export function sarif(reports: readonly SanitizeReport[], options: SarifOptions): object {
  const kinds = [...new Set(reports.flatMap(({ findings }) => findings.map(({ kind }) => kind)))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Assay sanitizer',
            version: options.version,
            rules: kinds.map((kind) => ({ id: kind, shortDescription: { text: KIND_MEANINGS[kind] } })),
          },
        },
        invocations: [{ executionSuccessful: true }],
        results: reports.flatMap((report) => report.findings.map((finding) => result(finding, kinds, options))),
      },
    ],
  };
}

function result(finding: SanitizerFinding, kinds: readonly FindingKind[], options: SarifOptions): object {
  const { kind, message, place, trail, kernel, block, thread, allocation, address, access, space, bytes } = finding;
  const uri = options.uri ?? ((file: string) => file);
  const physical = (file: string, line?: number, column?: number) => ({
    artifactLocation: { uri: uri(file) },
    ...(line ? { region: { startLine: line, ...(column ? { startColumn: column } : {}) } } : {}),
  });
  return {
    ruleId: kind,
    ruleIndex: kinds.indexOf(kind),
    level: kind === 'order-dependence' ? 'warning' : 'error',
    message: { text: message },
    locations: [
      {
        physicalLocation: place ? physical(place.file, place.line, place.column) : physical(options.file),
        logicalLocations: [{ name: kernel, kind: 'function' }],
      },
    ],
    ...(trail.length > 1
      ? {
          relatedLocations: trail.map((each, id) => ({
            id,
            physicalLocation: physical(each.file, each.line, each.column),
          })),
        }
      : {}),
    ...(finding.kind === 'order-dependence' ? {} : { occurrenceCount: finding.count }),
    properties: {
      ...{ block, thread, space, access, bytes, address, allocation },
      ...{ ptxLine: finding.ptxLine, instruction: finding.instruction, schedule: finding.schedule },
    },
  };
}
