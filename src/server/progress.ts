/** What happens in a judgement, as progress of the MCP request that waits for it. */
import type { ServerContext } from '@modelcontextprotocol/server';
import type { AssayEvent, EventStream } from '../events/index.ts';

/** Reports events to the client, where it asked for that; returns the function that stops it. */
export function reportProgress(events: EventStream, context: ServerContext): () => void {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => {};
  let progress = 0;
  return events.subscribe((event) => {
    const message = inWords(event);
    if (message === undefined) return;
    progress++;
    // A client that has gone away misses nothing that it could use.
    void context.mcpReq
      .notify({ method: 'notifications/progress', params: { progressToken, progress, message } })
      .catch(() => {});
  });
}

function inWords(event: AssayEvent): string | undefined {
  switch (event.type) {
    case 'candidate.building':
      return 'building';
    case 'check.passed':
      return `passed ${event.check}`;
    case 'candidate.rejected':
      return `rejected by ${event.check}`;
    case 'note':
      return event.message;
    default:
      return undefined;
  }
}
