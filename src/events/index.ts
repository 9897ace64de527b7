/**
 * The one typed event stream. Long work reports here; the terminal, the log, the web page and MCP read it.
 *
 * An event is plain data (JSON), says what happened, never what to draw. Emitters do not know their listeners.
 */
export type { AssayEvent, EventOf } from './event.ts';
export { EventStream } from './stream.ts';
