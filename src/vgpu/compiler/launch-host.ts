/** Functions of a launch that only some kernels' code calls: what is rare or long enough to be left to JavaScript. */
import type { LaunchContext } from '../executable.ts';
import type { FaultReporter } from './faults.ts';
import { accessElements } from './matrix/index.ts';
import type { Program } from './program.ts';

export function launchHost(
  program: Program,
  context: LaunchContext,
  reporter: FaultReporter,
): Readonly<Record<string, (...operands: never[]) => unknown>> {
  return {
    /** fragment(access, first): a wmma.load or wmma.store element by element. */
    fragment(access: number, first: number): void {
      accessElements(program.fragments[access]!, first, context.memory, reporter, program.options.checked);
    },
  };
}
