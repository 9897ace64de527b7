/** Whole numbers on the command line. */
import { InvalidArgumentError } from 'commander';

/** A parser of whole numbers of at least `least`; it throws what the command line answers with. */
export function whole(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least || text.trim() === '')
      throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
    return value;
  };
}

/** The whole number that an option `--name` was given, for programs that read their options themselves. Throws a sentence. */
export function wholeOption(name: string, text: string, least = 1): number {
  try {
    return whole(least)(text);
  } catch {
    throw new Error(`--${name} must be a whole number of at least ${least}, not "${text}".`);
  }
}
