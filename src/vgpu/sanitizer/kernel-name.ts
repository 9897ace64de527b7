/** Kernels by the names that people know: `softmax` for `_Z7softmaxPKfPf`, `detail::scan` for `_ZN6detail4scanEPi`. */
import type { PtxFunction, PtxModule } from '../ptx/ir.ts';
import { LaunchSpecError } from './launch-spec.ts';

/**
 * The qualified name in an Itanium C++ mangled name, without parameters and template arguments; other names as they are.
 * @see https://itanium-cxx-abi.github.io/cxx-abi/abi.html#mangling
 */
export function plainName(mangled: string): string {
  const nested = mangled.startsWith('_ZN');
  let rest = mangled.startsWith('_Z') ? mangled.slice(nested ? 3 : 2) : '';
  const parts: string[] = [];
  for (;;) {
    const digits = /^L?(\d+)/.exec(rest);
    if (digits === null) break;
    const length = Number(digits[1]);
    const part = rest.slice(digits[0].length, digits[0].length + length);
    if (part.length < length) return mangled;
    // nvcc puts the static functions of a file, and anonymous namespaces, into namespaces of its own making.
    if (!/^_GLOBAL__N_|^_INTERNAL_|_cu_[0-9a-f]{8}/.test(part)) parts.push(part);
    rest = rest.slice(digits[0].length + length);
    if (!nested) break;
  }
  return parts.length === 0 ? mangled : parts.join('::');
}

/**
 * The kernel that is meant: by its entry's name, its qualified name, or the last part of that; without a name the only
 * one there is. Throws a {@link LaunchSpecError} that lists the kernels when none or several fit.
 */
export function findKernel(module: PtxModule, name: string | undefined): PtxFunction {
  const entries = [...module.functions.values()].filter(({ entry }) => entry);
  const listed = entries.map((entry) => plainName(entry.name)).join(', ');
  if (entries.length === 0) throw new LaunchSpecError('There is no kernel in this file.');
  if (name === undefined) {
    if (entries.length === 1) return entries[0]!;
    throw new LaunchSpecError(`The file has ${entries.length} kernels; name one of them with --kernel: ${listed}.`);
  }
  const exact = entries.filter((entry) => entry.name === name);
  const plain = entries.filter((entry) => plainName(entry.name) === name);
  const last = entries.filter((entry) => plainName(entry.name).split('::').at(-1) === name);
  const fitting = [exact, plain, last].find((group) => group.length > 0) ?? [];
  if (fitting.length === 1) return fitting[0]!;
  if (fitting.length === 0) throw new LaunchSpecError(`There is no kernel ${name} in this file; it has ${listed}.`);
  const mangled = fitting.map((entry) => entry.name).join(', ');
  throw new LaunchSpecError(
    `${name} can be any of ${fitting.length} kernels; give one of the names in the PTX: ${mangled}.`,
  );
}
