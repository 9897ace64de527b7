/**
 * Limits of the system on a process: a shell sets them and becomes the command. A limit that cannot be set must not be passed over, so the command does
 * not start then; where the system's own is lower already, that one stays. POSIX.
 */

/** Absent: not limited. */
export interface ResourceLimits {
  /** Processor time of the process, seconds. */
  readonly cpuSeconds?: number;
  /** All that it maps, reserved or used. Not for V8, which reserves many times what it uses for WebAssembly. */
  readonly addressSpaceKiB?: number;
  /** Memory of its own that it may write to (heap, stacks, WebAssembly): what is only reserved does not count. Linux. */
  readonly dataKiB?: number;
  /** Largest file it may write. */
  readonly fileKiB?: number;
  /** Processes and threads of its user. Root is never held to it. */
  readonly processes?: number;
}

/** What the shell says when it cannot set a limit, and ends with. */
export const limitFailure = 'a limit cannot be set';

/** dash and busybox call the number of processes `-p`, bash and zsh `-u`. */
const SCRIPT = `limit() {
  ulimit "$1" "$2" 2>/dev/null || { now=$(ulimit "$1") && [ "$now" -le "$2" ]; } 2>/dev/null || { echo "${limitFailure}: $1 $2" >&2; exit 126; }
}
[ -n "$BASH_VERSION$ZSH_VERSION" ] && processes=-u || processes=-p
`;

/** `command` under `limits`, without core files; the variables that a shell puts into the environment are taken out again. */
export function underLimits(command: readonly string[], limits: ResourceLimits): string[] {
  const { cpuSeconds, addressSpaceKiB, dataKiB, fileKiB, processes } = limits;
  const set = [
    ['-t', cpuSeconds],
    ['-v', addressSpaceKiB],
    ['-d', dataKiB],
    ['-f', fileKiB === undefined ? undefined : fileKiB * 2], // in blocks of 512 bytes
    ['$processes', processes],
    ['-c', 0],
  ].flatMap(([option, value]) => (value === undefined ? [] : [`limit ${option} ${Math.ceil(Number(value))}`]));
  return ['/bin/sh', '-c', `${SCRIPT}${set.join('\n')}\nunset PWD OLDPWD\nexec "$@"`, 'sh', ...command];
}
