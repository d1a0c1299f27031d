// Starts soketi on loopback. Its one argument is JSON: {port, metricsPort, discoveryPort, apps}. Prints {"ready": port}.
// It ends when its standard input does, so that no server outlives the test run.
'use strict';

const { HttpHandler } = require('@soketi/soketi/dist/http-handler');
const { Server } = require('@soketi/soketi');

const { port, metricsPort, discoveryPort, apps } = JSON.parse(process.argv[2]);
const loopback = '127.0.0.1';

// Stock soketi writes its CORS headers before the status line, and uWebSockets then sends 200 for every error.
HttpHandler.prototype.corsMiddleware = (response, next) => next(null, response);

// Stock soketi dies of an exception in one request.
for (const kind of ['uncaughtException', 'unhandledRejection']) {
  process.on(kind, (error) => console.error(`soketi: ${kind}:`, error));
}

const server = new Server({
  host: loopback,
  port,
  shutdownGracePeriod: 0,
  userAuthenticationTimeout: 3600000, // else a connection that neither signs in nor joins a private channel is closed
  'metrics.host': loopback,
  'metrics.port': metricsPort,
  'cluster.hostname': loopback, // the discovery of other nodes cannot be switched off, only kept at home
  'cluster.address': loopback,
  'cluster.unicast': loopback,
  'cluster.port': discoveryPort,
  'eventLimits.maxPayloadInKb': 10,
  'appManager.array.apps': apps,
});

process.stdin.on('end', () => process.exit(0)).resume();

server.start(() => {
  if (!server.serverProcess) {
    console.error(`soketi: port ${port} is taken`);
    process.exit(1);
  }
  console.log(JSON.stringify({ ready: port }));
});
