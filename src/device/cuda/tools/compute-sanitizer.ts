/**
 * NVIDIA's compute-sanitizer over one call of a candidate: memcheck, racecheck and synccheck. The virtual GPU looks for more, and names it better; this is a second opinion, of the
 * hardware's own code. What it writes is read by the forms that its documentation shows (Compute Sanitizer user guide, versions 2021 to 2024); a line of another form is left.
 */
import type { Finding, FindingKind } from '../../../vgpu/index.ts';
import type { RunRequest } from '../../types.ts';
import type { CudaProcessOptions } from '../cuda-process.ts';
import { findTool, runUnderTool } from './run-tool.ts';

/** Each tool of it, with what it is told. */
const TOOLS: readonly (readonly [tool: string, ...more: string[]])[] = [
  ['memcheck', '--leak-check', 'no'],
  ['racecheck', '--racecheck-report', 'analysis'],
  ['synccheck'],
];

/** What the first line of a report says, and the finding it is. */
const REPORTS: readonly (readonly [pattern: RegExp, kind: FindingKind])[] = [
  [/^Invalid __\w+__ (?:read|write|atomic) of size \d+/, 'out-of-bounds'],
  [/^(?:Error|Warning): Race reported between /, 'race'],
  [/^(?:Error|Warning): Potential (?:WAW|WAR|RAW) hazard detected/, 'race'],
  [/^Barrier error detected\./, 'barrier-divergence'],
  [/^Invalid (?:number of )?(?:barrier )?arguments?/, 'barrier-divergence'],
  [/^Uninitialized __\w+__ memory read of size \d+/, 'uninitialised-read'],
  [/^(?:Program hit|Stack overflow)/, 'trap'],
];

/** What was found; or why it was not looked for, in a sentence. */
export type Sanitized =
  | { readonly version: string; readonly tools: readonly string[]; readonly findings: readonly Finding[] }
  | { readonly missing: string };

export const NO_SANITIZER = 'compute-sanitizer is not installed; it comes with the CUDA toolkit';

/** Looks at the first call of the request. Slower by ten times and more than the run itself. */
export async function computeSanitizer(
  on: CudaProcessOptions,
  request: RunRequest,
  signal?: AbortSignal,
): Promise<Sanitized> {
  const found = findTool('compute-sanitizer', 'ASSAY_COMPUTE_SANITIZER');
  if (!found) return { missing: NO_SANITIZER };
  const one: RunRequest = { ...request, calls: request.calls.slice(0, 1), profile: undefined };
  const findings: Finding[] = [];
  for (const [tool, ...more] of TOOLS) {
    const parameters = ['--tool', tool, ...more, '--print-limit', '100', '--target-processes', 'all'];
    const { log, said, timedOut, launched } = await runUnderTool(
      ...([found.path, parameters, on, one, request.limits.milliseconds, signal] as const),
    );
    if (timedOut)
      return { missing: `compute-sanitizer's ${tool} was stopped after ${request.limits.milliseconds / 1000} s` };
    // It says how many errors there were, also where there were none: without that nothing was looked at.
    if (!/^=+ (?:ERROR|RACECHECK) SUMMARY:/m.test(log))
      return { missing: `compute-sanitizer's ${tool} gave no summary: ${lastLine(said) || lastLine(log)}` };
    const reported = parseSanitizer(log);
    findings.push(...reported);
    if (reported.length === 0 && launched?.status !== 'completed')
      return {
        missing: `under compute-sanitizer's ${tool} the run did not complete: ${launched?.message ?? lastLine(said)}`,
      };
  }
  return { version: found.version, tools: TOOLS.map(([tool]) => tool), findings };
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

/** The findings in what compute-sanitizer writes: equal ones counted, not repeated. */
export function parseSanitizer(log: string): Finding[] {
  const found = new Map<string, Finding>();
  for (const lines of blocksOf(log)) {
    const [first = ''] = lines;
    const kind = kindOf(first, lines);
    if (kind === undefined) continue;
    const at = lines.map(placeIn).find((place) => place !== undefined);
    const finding: Finding = {
      ...{ kind, message: lines.filter((line) => !/host backtrace|Host Frame/i.test(line)).join('; ') },
      ...{ kernel: at?.kernel ?? '', ptxLine: 0, instruction: '', count: 1 },
      ...(at?.line === undefined ? {} : { source: { file: at.file ?? '', line: at.line } }),
      ...threadIn(lines),
    };
    const key = `${kind} ${first} ${finding.kernel} ${at?.line ?? ''}`;
    const known = found.get(key);
    if (known) known.count++;
    else found.set(key, finding);
  }
  return [...found.values()];
}

/** Reports: lines that begin with `=========`; the first of each is indented by one blank, those that belong to it by more. */
function blocksOf(log: string): string[][] {
  const blocks: string[][] = [];
  for (const line of log.split('\n')) {
    const [, indent, text] = /^={9}( *)(.*)$/.exec(line) ?? [];
    if (text === undefined || text.trim() === '') continue;
    if ((indent?.length ?? 0) > 1 && blocks.length > 0) blocks.at(-1)!.push(text.trim());
    else blocks.push([text.trim()]);
  }
  return blocks;
}

function kindOf(first: string, lines: readonly string[]): FindingKind | undefined {
  const kind = REPORTS.find(([pattern]) => pattern.test(first))?.[1];
  if (kind === 'out-of-bounds' && lines.some((line) => /is misaligned/.test(line))) return 'misaligned';
  return kind;
}

/**
 * Two forms of a place: `at 0x70 in file.cu:12:kernel(float*)`, and since 2022 `at kernel(float*)+0x70 in file.cu:12`; races say
 * `... access at kernel(float*)+0x80 in file.cu:10`.
 */
function placeIn(line: string): { kernel: string; file?: string; line?: number } | undefined {
  const old = /\bat 0x[0-9a-f]+ in (\S+?):(\d+):(.+)$/.exec(line);
  if (old) return { kernel: nameOf(old[3]!), file: old[1], line: Number(old[2]) };
  const oldBare = /\bat 0x[0-9a-f]+ in (.+)$/.exec(line);
  if (oldBare) return { kernel: nameOf(oldBare[1]!) };
  const now = /\bat (?!0x)(.+?)\+0x[0-9a-f]+(?: in (\S+?):(\d+))?(?:\s|$)/.exec(line);
  if (!now) return undefined;
  return { kernel: nameOf(now[1]!), ...(now[2] ? { file: now[2], line: Number(now[3]) } : {}) };
}

/** `void kernel<float>(float*, int)` without its parameters and its result. */
function nameOf(signature: string): string {
  return signature
    .replace(/\(.*$/s, '')
    .replace(/^void /, '')
    .trim();
}

function threadIn(lines: readonly string[]): Pick<Finding, 'block' | 'thread'> {
  const found = lines
    .map((line) => /by thread \((\d+),(\d+),(\d+)\) in block \((\d+),(\d+),(\d+)\)/.exec(line))
    .find((m) => m);
  if (!found) return {};
  const [x, y, z, bx, by, bz] = found.slice(1).map(Number) as [number, number, number, number, number, number];
  return { thread: [x, y, z], block: [bx, by, bz] };
}
