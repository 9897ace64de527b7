/**
 * Runs a program on hostile input: empty environment, its own process group, limits on CPU time, memory, file size and
 * output, killed whole when it outlives its wall clock or is aborted. POSIX only (`sh` sets the limits before `exec`).
 */
import { spawn } from 'node:child_process';
import { underLimits } from './limits.ts';

export interface ProcessLimits {
  /** Wall clock, milliseconds. */
  milliseconds: number;
  cpuSeconds: number;
  addressSpaceKiB: number;
  /** Largest file it may write, KiB. */
  fileKiB: number;
  /** Bytes of output kept; more is cut, and the process killed. */
  outputBytes: number;
}

export interface ProcessResult {
  /** `ok` whenever the process ended by itself; its exit status tells the rest. */
  ended: 'ok' | 'timeout' | 'output' | 'aborted';
  status: number | null;
  signal: NodeJS.Signals | null;
  output: string;
}

/** Runs `command` in `directory`. Rejects only when it cannot be started (not found: code ENOENT). */
export function runLimited(
  command: readonly string[],
  directory: string,
  path: string,
  limits: ProcessLimits,
  signal?: AbortSignal,
): Promise<ProcessResult> {
  const { cpuSeconds, addressSpaceKiB, fileKiB } = limits;
  const [shell, ...script] = underLimits(command, { cpuSeconds, addressSpaceKiB, fileKiB });
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return resolve({ ended: 'aborted', status: null, signal: null, output: '' });
    const child = spawn(shell!, script, {
      cwd: directory,
      env: { PATH: path, TMPDIR: directory, LC_ALL: 'C' },
      detached: true, // a process group of its own, so that everything it starts can be killed with it
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let ended: ProcessResult['ended'] = 'ok';
    let output = '';
    const kill = (why: ProcessResult['ended']) => {
      ended = why;
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group is gone already.
      }
    };
    const abort = () => kill('aborted');
    const timer = setTimeout(() => kill('timeout'), limits.milliseconds);
    signal?.addEventListener('abort', abort, { once: true });
    const collect = (chunk: Buffer) => {
      if (output.length < limits.outputBytes) output += chunk.toString('utf8');
      if (output.length >= limits.outputBytes && ended === 'ok') kill('output');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (status, by) => {
      settle();
      resolve({ ended, status, signal: by, output: output.slice(0, limits.outputBytes) });
    });
  });
}
