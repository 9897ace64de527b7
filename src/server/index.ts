/** The door of the server room: the MCP server, for coding agents. */
export {
  type HttpOptions,
  type HttpServing,
  refusal,
  type ServerName,
  type Serving,
  serveOnHttp,
  serveOnStdio,
} from './mcp.ts';
export { Workshop, type WorkshopOptions } from './workshop.ts';
