/** What a process needs to see of the system to use its NVIDIA GPUs. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Files of /dev by which the driver is reached: on Linux, on WSL (dxg), and where a GPU is divided (nvidia-caps). */
const DEVICE = /^(nvidia(\d+|ctl|-modeset|-uvm|-uvm-tools|-caps)|dxg)$/;
const MAKER = '/usr/bin/nvidia-modprobe';

/** The files through which a process reaches the GPUs. */
export function gpuFiles(): string[] {
  if (!existsSync('/dev')) return [];
  // The driver's own library makes them when they are missing, by a program that behind a wall it could not run.
  if (existsSync('/proc/driver/nvidia') && !existsSync('/dev/nvidia-uvm') && existsSync(MAKER))
    spawnSync(MAKER, ['-u', '-c', '0'], { stdio: 'ignore', timeout: 10_000, env: {} });
  return readdirSync('/dev')
    .filter((name) => DEVICE.test(name))
    .map((name) => join('/dev', name));
}

/** Folders that the driver reads, beside the system's programs. */
export function driverFolders(): string[] {
  return ['/sys', ...(process.env.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder.startsWith('/'))];
}
