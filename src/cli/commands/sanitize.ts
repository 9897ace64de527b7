/** `assay sanitize kernel.cu`: one launch of a CUDA or PTX kernel under every check of the virtual GPU, with no GPU. */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, relative, sep } from 'node:path';
import { buildDeviceCode } from '../../kernel/index.ts';
import { reportText, runJobInChild, type SanitizeReport, sarif } from '../../vgpu/index.ts';
import type { Places } from '../places.ts';
import { coloursFor } from '../terminal/colour.ts';
import { printable } from '../terminal/format.ts';
import { version } from '../version.ts';

export interface SanitizeOptions {
  /** Kernel to run; absent: every kernel whose launch the file's header gives. */
  kernel?: string;
  /** `<<<grid, block, shared>>>`; absent: the file's header. */
  launch?: string;
  /** `x: const float[256] = ramp, n: int = 256`; absent: the file's header. */
  arguments?: string;
  /** PTX to run; the CUDA file, if one is given too, is then its source. */
  ptx?: string;
  /** Target architecture of the compiler. */
  arch: string;
  /** Folders of the caller's own headers. */
  include: readonly string[];
  /** `NAME` or `NAME=VALUE`. */
  define: readonly string[];
  races: boolean;
  schedules?: number;
  budget?: number;
  /** Stop a launch at its first finding. */
  first: boolean;
  json: boolean;
  /** File to write a SARIF log to. */
  sarif?: string;
}

/** The name under which the kernel room compiles. */
const COMPILED_AS = 'candidate.cu';

/** Runs the launches and prints what was found: exit code 0 for nothing, 1 for findings. Throws what could not be run. */
export async function sanitize(
  file: string | undefined,
  options: SanitizeOptions,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const shown = file ?? options.ptx;
  if (shown === undefined)
    throw new Error('Name a CUDA file (`assay sanitize kernel.cu`) or a PTX file (--ptx file.ptx).');
  const source = file === undefined ? undefined : readFileSync(file, 'utf8');
  const ptx =
    options.ptx === undefined
      ? await compile(file!, source!, options, places, signal)
      : readFileSync(options.ptx, 'utf8');
  const { kernel, launch, arguments: list, races, schedules, budget, first } = options;
  const found = await runJobInChild(
    {
      ...{ ptx, name: shown, header: source ?? ptx },
      ...{ kernel, launch, arguments: list, races, schedules, budget, stopAtFirst: first },
    },
    signal,
  );
  const reports = found.map((report) => withOwnNames(report, file));
  if (options.sarif !== undefined) {
    const uri = (name: string): string => encodeURI(relative('.', name).replaceAll(sep, '/'));
    writeFileSync(options.sarif, `${JSON.stringify(sarif(reports, { version, uri, file: shown }), null, 2)}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ file: shown, reports }, null, 2)}\n`);
  else print(reports, file, source);
  return reports.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

async function compile(
  file: string,
  source: string,
  { arch, include, define }: SanitizeOptions,
  places: Places,
  signal: AbortSignal,
): Promise<string> {
  if (/^\s*#\s*include\s*[<"](?:torch|ATen|c10)\//m.test(source)) {
    throw new Error(
      "This file includes PyTorch's headers: `assay judge` takes it with its task; for `sanitize`, put the kernels in a file of their own.",
    );
  }
  const beside = /^\s*#\s*include\s*"/m.test(source) ? [dirname(file)] : [];
  const build = await buildDeviceCode({
    ...{ source, arch, cacheDir: places.builds, signal },
    ...{ includeFolders: [...beside, ...include], flags: define.map((name) => `-D${name}`) },
  });
  return build.ptx;
}

/** The report with the caller's file in place of the names under which it was compiled. */
function withOwnNames(report: SanitizeReport, file: string | undefined): SanitizeReport {
  if (file === undefined) return report;
  const own = new Set([COMPILED_AS, basename(file)]);
  const rename = <T extends { file: string }>(place: T): T =>
    own.has(basename(place.file)) ? { ...place, file } : place;
  const findings = report.findings.map((finding) => ({
    ...finding,
    message: finding.message.replaceAll(`${COMPILED_AS}:`, `${basename(file)}:`),
    place: finding.place && rename(finding.place),
    trail: finding.trail.map(rename),
  }));
  return { ...report, findings };
}

function print(reports: readonly SanitizeReport[], file: string | undefined, text: string | undefined): void {
  const marks = coloursFor(process.stdout);
  const lines = text?.split('\n');
  const source = (name: string) => (name === file ? lines : undefined);
  for (const report of reports) {
    if (report.printed !== '')
      process.stdout.write(`${marks.faint('printed:')} ${printable(report.printed.trimEnd())}\n`);
    process.stdout.write(`${reportText(report, { marks, source, printable })}\n`);
  }
}
