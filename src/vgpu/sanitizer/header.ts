/**
 * The launch that a CUDA (or PTX) file itself names, in the comment at its top:
 *
 *     // finds: race or deadlock            what it is known to hold (known-bug kernels; ignored elsewhere)
 *     // arguments: x: const float[256] = ramp, y: float[1]
 *     // launch: <<<2, 128>>>
 *     // budget: 2000000                    thread-instructions after which it is taken not to end
 *     // schedules: 8
 *     // NAME launch: <<<...>>>             for the kernel NAME only; the same for the other keys
 *
 * Other comment lines are prose. Several `arguments` lines are one list.
 */
import { LaunchSpecError } from './launch-spec.ts';

/** What a header says for one kernel; the specifications are still text. */
export interface HeaderFacts {
  arguments?: string;
  launch?: string;
  budget?: number;
  schedules?: number;
}

export interface Header {
  /** The kinds of `finds`, any of which will do. */
  readonly finds: readonly string[];
  /** What holds for a kernel: its own lines over the general ones. */
  for(kernel: string): HeaderFacts;
}

const LINE = /^\s*\/\/\s*(?:(\w+)\s+)?(finds|arguments|launch|budget|schedules)\s*:\s*(.*?)\s*$/;

/** Reads the comment that a file starts with. Throws {@link LaunchSpecError} for a key whose value makes no sense. */
export function readHeader(source: string): Header {
  const facts = new Map<string, HeaderFacts>();
  let finds: string[] = [];
  for (const [index, line] of source.split('\n').entries()) {
    if (!/^\s*(\/\/|$)/.test(line)) break;
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, kernel = '', key, value] = match as unknown as [string, string | undefined, string, string];
    const own = facts.get(kernel) ?? {};
    facts.set(kernel, own);
    if (key === 'finds') finds = value.split(/\s+or\s+/);
    else if (key === 'launch') own.launch = value;
    else if (key === 'arguments') {
      own.arguments = own.arguments === undefined ? value : `${own.arguments.replace(/,\s*$/, '')}, ${value}`;
    } else {
      const count = Number(value.replaceAll(/[_, ]/g, ''));
      if (!Number.isSafeInteger(count) || count < 1) {
        throw new LaunchSpecError(`Line ${index + 1}: ${key} must be a whole number of at least 1, not \`${value}\`.`);
      }
      own[key as 'budget' | 'schedules'] = count;
    }
  }
  return { finds, for: (kernel) => ({ ...facts.get(''), ...facts.get(kernel) }) };
}
