/** An HTTP server for Prometheus: GET /metrics answers with the machine as it is between two events. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Machine, printPrometheus, takeSnapshot } from '../engine/index.ts';
import { OutputError } from './output.ts';
import type { Address } from './values.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const CONNECTIONS = 32;
const PATIENCE_MS = 10_000;

/** @throws OutputError if it cannot listen there. The answer stops it. */
export async function serveMetrics(machine: Machine, { host, port }: Address): Promise<() => void> {
  const server = createServer((request, response) => answer(machine, request, response));
  server.maxConnections = CONNECTIONS;
  server.requestTimeout = PATIENCE_MS;
  server.headersTimeout = PATIENCE_MS;
  await listening(server, host, port);
  // whoever still reads does not keep the program alive
  server.unref();
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) =>
      reject(new OutputError(`--metrics ${host}:${port}: cannot listen there (${code ?? message})`)),
    );
    server.listen(port, host, resolve);
  });
}

function answer(machine: Machine, { method, url }: IncomingMessage, response: ServerResponse): void {
  const say = (status: number, text: string, type = 'text/plain; charset=utf-8', headers = {}) => {
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(text),
      ...headers,
    });
    response.end(method === 'HEAD' ? undefined : text);
  };
  if (method !== 'GET' && method !== 'HEAD') say(405, 'GET it\n', undefined, { Allow: 'GET, HEAD' });
  else if (url?.replace(/\?.*/s, '') !== '/metrics') say(404, 'it is /metrics\n');
  else say(200, printPrometheus(takeSnapshot(machine)), CONTENT_TYPE);
}
