/** Findings as people read them: kind, sentence, who and where, the source line with a caret, the memory in question. */
import type { Dim3 } from '../types.ts';
import type { SanitizeReport, SanitizerFinding } from './sanitizer.ts';

/** How to mark text; plain strings where there is no colour. */
export interface Marks {
  bad(text: string): string;
  faint(text: string): string;
  strong(text: string): string;
}

export const plainMarks: Marks = { bad: (text) => text, faint: (text) => text, strong: (text) => text };

/** Lines of a source file, or undefined where there is none; given the file as the line information names it. */
export type SourceLines = (file: string) => readonly string[] | undefined;

export interface TextOptions {
  marks?: Marks;
  source?: SourceLines;
  /** Makes text from the compiler, the kernel or the file safe to print (default: as it is). */
  printable?(text: string): string;
}

/** The whole report, without a line break at the end. */
export function reportText(report: SanitizeReport, options: TextOptions = {}): string {
  const { marks = plainMarks } = options;
  const { grid, block, dynamicSharedBytes } = report.launch;
  const shared = dynamicSharedBytes > 0 ? `, ${dynamicSharedBytes}` : '';
  const launch = `${report.kernel}<<<${extent(grid)}, ${extent(block)}${shared}>>>`;
  const work = report.runs.reduce((sum, { threadInstructions }) => sum + threadInstructions, 0);
  const under = report.runs.length === 1 ? 'one schedule' : `${report.runs.length} schedules`;
  const ran = `${work.toLocaleString('en')} thread-instructions under ${under}`;
  const { findings } = report;
  if (findings.length === 0) return `${launch}: nothing found (${ran})`;
  const count = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  return [
    ...findings.map((finding) => `${findingText(finding, options)}\n`),
    `${launch}: ${marks.strong(count)} (${ran})`,
  ].join('\n');
}

function findingText(finding: SanitizerFinding, options: TextOptions): string {
  const { marks = plainMarks, printable = (text) => text } = options;
  const lines = [`${marks.bad(finding.kind)}: ${printable(finding.message)}`];
  const { place, trail } = finding;
  const where = finding.thread && `thread ${position(finding.thread)} of block ${position(finding.block ?? [0, 0, 0])}`;
  if (place !== undefined) {
    const at = `${printable(place.file)}:${place.line}${place.column > 0 ? `:${place.column}` : ''}`;
    lines.push(`  at ${marks.strong(at)}, ${finding.kernel}${where ? `, ${where}` : ''}`);
    lines.push(...excerpt(place.line, place.column, options.source?.(place.file), marks, printable));
    const inner = trail[0]!;
    if (inner.file !== place.file || inner.line !== place.line)
      lines.push(marks.faint(`  in code inlined from ${printable(inner.file)}:${inner.line}`));
  } else if (where !== undefined) {
    lines.push(`  in ${finding.kernel}, ${where}`);
  }
  if (finding.instruction !== '') {
    lines.push(marks.faint(`  PTX line ${finding.ptxLine}: ${printable(finding.instruction)}`));
  }
  const { allocation } = finding;
  if (allocation !== undefined) {
    const address = finding.address === undefined ? '' : `, address ${finding.address}`;
    lines.push(`  ${printable(allocation.name)}: ${allocation.bytes} bytes; offset ${allocation.offset}${address}`);
  }
  if (finding.kind !== 'order-dependence' && finding.count > 1) {
    lines.push(`  ${finding.count.toLocaleString('en')} times`);
  }
  if (finding.schedule > 0) lines.push(`  first seen under schedule ${finding.schedule}`);
  return lines.join('\n');
}

/** The source line, and a caret under its column (under its first character where the column is not known). */
function excerpt(
  line: number,
  column: number,
  source: readonly string[] | undefined,
  marks: Marks,
  printable: (text: string) => string,
): string[] {
  const raw = source?.[line - 1];
  if (raw === undefined || raw.trim() === '') return [];
  const start = column > 0 && column <= raw.length ? column - 1 : raw.length - raw.trimStart().length;
  // Tabs stay under tabs, so that the caret stands where it should.
  const indent = raw.slice(0, start).replaceAll(/[^\t]/g, ' ');
  const number = String(line).padStart(5);
  const shown = raw.split('\t').map(printable).join('\t').trimEnd();
  return [`${marks.faint(`${number} |`)} ${shown}`, `${marks.faint('      |')} ${indent}${marks.bad('^')}`];
}

/** A grid or block: `64`, `(64, 2)` or `(1, 2, 3)`. */
function extent([x, y, z]: Dim3): string {
  if (z !== 1) return position([x, y, z]);
  return y === 1 ? `${x}` : `(${x}, ${y})`;
}

function position(index: Dim3): string {
  return `(${index.join(', ')})`;
}
