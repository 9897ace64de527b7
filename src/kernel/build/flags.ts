/** Compiler flags a candidate may ask for. Everything else is refused: a flag can name files, commands and plug-ins. */
import { BuildError } from './build-error.ts';

const allowed: readonly RegExp[] = [
  /^-O[0-3]$/,
  /^-std=(c\+\+|gnu\+\+)(14|17|20)$/,
  /^-D[A-Za-z_]\w*(=[\w.+-]*)?$/,
  /^-U[A-Za-z_]\w*$/,
  /^--?use_fast_math$/,
  /^--?(ftz|prec-div|prec-sqrt|fmad)=(true|false)$/,
  /^--?maxrregcount[= ]\d{1,3}$/,
  /^--?expt-(relaxed-constexpr|extended-lambda)$/,
  /^--?extended-lambda$/,
  /^-w$/,
  /^--?(lineinfo|restrict|extra-device-vectorization)$/,
];

/** The flags as given, or a {@link BuildError} that names the first one that is not allowed. */
export function checkFlags(flags: readonly string[]): readonly string[] {
  for (const flag of flags) {
    if (!allowed.some((pattern) => pattern.test(flag))) {
      throw new BuildError('flag', `The compiler flag ${JSON.stringify(flag)} is not on the list of allowed flags.`);
    }
  }
  return flags;
}
