/** Starts the command-line program from source, loaded as this test is, and waits for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  seconds: number;
}

/** The program with `parameters`, in the repository's folder; `detached`: in a process group of its own, as in a terminal. `kill -9` whatever a test leaves. */
export function start(
  parameters: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  detached = false,
): { child: ChildProcess; ended: Promise<Ended> } {
  const began = performance.now();
  const child = spawn(process.execPath, [...process.execArgv, `${root}src/cli/main.ts`, ...parameters], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) =>
      resolve({ code, signal, stdout, stderr, seconds: (performance.now() - began) / 1000 }),
    );
  });
  return { child, ended };
}

export function run(...parameters: string[]): Promise<Ended> {
  return start(parameters).ended;
}
