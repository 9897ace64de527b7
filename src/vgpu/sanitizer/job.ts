/** A file's worth of sanitizing: which kernels to run, with which launches, from options and the file's own header. */
import { type HeaderFacts, readHeader } from './header.ts';
import { LaunchSpecError, parseArguments, parseLaunch } from './launch-spec.ts';
import { type SanitizeReport, Sanitizer } from './sanitizer.ts';

/** Plain data, so that it can be sent to another thread. */
export interface SanitizeJob {
  ptx: string;
  /** For messages. */
  name: string;
  /** Text whose header says how kernels are launched where the options do not: the CUDA source, or the PTX itself. */
  header: string;
  /** Absent: every kernel of the file. */
  kernel?: string;
  /** `<<<grid, block, shared>>>`. */
  launch?: string;
  arguments?: string;
  races?: boolean;
  schedules?: number;
  budget?: number;
  stopAtFirst?: boolean;
}

/**
 * Runs the job in this thread. Throws a {@link LaunchSpecError} where the launch is not known or does not fit, a PtxError
 * or CannotRun for kernels that cannot be executed.
 */
export function runJob(job: SanitizeJob): SanitizeReport[] {
  const header = readHeader(job.header);
  const sanitizer = new Sanitizer(job.ptx, job.name);
  const explicit = job.kernel !== undefined || job.launch !== undefined || job.arguments !== undefined;
  const kernels = explicit ? [sanitizer.kernelNamed(job.kernel)] : sanitizer.kernels;
  if (kernels.length === 0) throw new LaunchSpecError(`There is no kernel in ${job.name}.`);
  return kernels.map(({ name, entry }) => {
    const facts: HeaderFacts = header.for(name.split('::').at(-1)!);
    const launch = job.launch ?? facts.launch;
    const list = job.arguments ?? facts.arguments;
    if (launch === undefined || list === undefined) throw new LaunchSpecError(unknownLaunch(name, launch));
    return sanitizer.check({
      kernel: entry,
      launch: parseLaunch(launch),
      arguments: parseArguments(list),
      races: job.races,
      schedules: job.schedules ?? facts.schedules,
      budget: job.budget ?? facts.budget,
      stopAtFirst: job.stopAtFirst,
    });
  });
}

function unknownLaunch(kernel: string, launch: string | undefined): string {
  return launch === undefined
    ? `How ${kernel} is launched is not known. Give --launch '<<<2, 128>>>', or a line \`// launch: <<<2, 128>>>\` at the top of the file.`
    : `The arguments of ${kernel} are not known. Give --arguments 'x: const float[256] = ramp, n: int = 256', or a line \`// arguments: ...\` at the top of the file.`;
}
