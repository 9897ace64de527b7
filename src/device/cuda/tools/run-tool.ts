/** Runs one of NVIDIA's tools over the launcher, under a wall clock, and brings back what the tool wrote. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunRequest } from '../../types.ts';
import type { CudaProcessOptions } from '../cuda-process.ts';
import { DRIVER_LIBRARY } from '../driver/driver.ts';
import { exchangeFolder, pack } from '../exchange.ts';
import type { Launched, LauncherSettings } from './launcher.ts';

/** This file's own extension: `.ts` from source, `.js` as installed. */
const launcherFile = fileURLToPath(
  new URL(`./launcher${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

/** Where the toolkit puts its tools. */
const TOOL_FOLDERS = ['', '/usr/local/cuda/bin/', '/opt/nvidia/nsight-compute/'] as const;
const MOST_LOG_BYTES = 2 ** 24;

/** The tool's command and version, or undefined where it is not installed. `variable` may name it. */
export function findTool(name: string, variable: string): { path: string; version: string } | undefined {
  const named = process.env[variable];
  for (const path of named ? [named] : TOOL_FOLDERS.map((folder) => folder + name)) {
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
    if (status !== 0) continue;
    const version = /[Vv]ersion\s+([\w.]+)/.exec(stdout)?.[1] ?? stdout.trim().split('\n').at(-1) ?? '';
    return { path, version };
  }
  return undefined;
}

export interface ToolRun {
  /** What the tool wrote to its log. */
  readonly log: string;
  /** What it said on its way: errors before there is a log. */
  readonly said: string;
  /** How the run of the plan ended; absent where it did not come to that. */
  readonly launched?: Launched;
  readonly timedOut: boolean;
}

/** Runs `tool` with `parameters`, a log file and the launcher. Rejects only when it cannot be started, or the signal aborts. */
export async function runUnderTool(
  tool: string,
  parameters: readonly string[],
  { gpu, fake }: CudaProcessOptions,
  request: RunRequest,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<ToolRun> {
  signal?.throwIfAborted();
  const folder = exchangeFolder();
  const [log, answer] = [join(folder, 'log'), join(folder, 'launched')];
  const settings: LauncherSettings = {
    ...{ ordinal: gpu, cudaLibrary: fake?.library ?? DRIVER_LIBRARY, answer },
    request: pack(request, join(folder, 'request')),
  };
  const launcher = [process.execPath, ...process.execArgv, launcherFile, JSON.stringify(settings)];
  try {
    const child = spawn(tool, [...parameters, '--log-file', log, ...launcher], {
      env: { ...toolEnvironment(folder), ...fake?.environment },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let timedOut = false;
    const hear = (chunk: Buffer) => {
      if (said.length < 10_000) said += chunk.toString();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group is gone already.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, milliseconds);
    signal?.addEventListener('abort', kill, { once: true });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject).once('close', () => resolve());
    }).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
    });
    signal?.throwIfAborted();
    const launched = existsSync(answer) ? (JSON.parse(readFileSync(answer, 'utf8')) as Launched) : undefined;
    const text = existsSync(log) ? readFileSync(log).subarray(0, MOST_LOG_BYTES).toString('utf8') : '';
    return { log: text, said, launched, timedOut };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the tools and the driver need; nothing else of our environment. */
function toolEnvironment(folder: string): NodeJS.ProcessEnv {
  const passed = ['PATH', 'LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES'];
  const found = passed.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(found), HOME: folder, TMPDIR: folder, CUDA_DEVICE_ORDER: 'PCI_BUS_ID' };
}
