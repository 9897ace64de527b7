/** `assay mcp`: tools for a coding agent, over standard input and output or over HTTP on this machine. */
import { serveOnHttp, serveOnStdio, Workshop } from '../../server/index.ts';
import type { Places } from '../places.ts';
import { version } from '../version.ts';

export interface McpOptions {
  http: boolean;
  port: number;
  root: string;
  judgements: number;
}

/** Serves until it is interrupted, or until the client on standard input goes. Exit code 0. */
export async function mcp(options: McpOptions, places: Places, signal: AbortSignal): Promise<number> {
  const { home, traces, builds } = places;
  const { root, judgements, port } = options;
  const workshop = await Workshop.open({ home, traces, builds, root, judgements });
  const name = { name: 'assay', version };
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (!options.http) process.stdin.once('end', () => resolve()).once('close', () => resolve());
  });
  try {
    if (!options.http) {
      const serving = await serveOnStdio(workshop, name);
      await ended;
      await serving.close();
      return 0;
    }
    const given = process.env.ASSAY_MCP_TOKEN;
    const serving = await serveOnHttp(workshop, name, { port, ...(given && { token: given }) });
    // A token that was given is known to whoever gave it.
    process.stderr.write(`assay mcp: ${serving.url}${given ? '' : `   token ${serving.token}`}\n`);
    await ended;
    await serving.close();
    return 0;
  } finally {
    await workshop.close();
  }
}
