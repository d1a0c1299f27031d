// pusher-js connections, driven by lines {do, socket, ...}; says everything that happens: {socket, source, event, data}.
// Authorization goes over HTTP to the test's own endpoints, as in a browser.
'use strict';

const Pusher = require('pusher-js'); // Node's build: it decrypts, as `pusher-js/with-encryption` does in a browser

const { listen, say } = require('./lines');

const sockets = new Map();

function plain(value) {
  // Members of a presence channel are a class; errors are no JSON.
  if (value instanceof Error) return { error: value.message };
  return value === undefined ? null : value;
}

const commands = {
  connect({ socket, key, port, backend }) {
    const pusher = new Pusher(key, {
      cluster: '',
      wsHost: '127.0.0.1',
      wsPort: port,
      forceTLS: false,
      disableStats: true,
      enabledTransports: ['ws'],
      channelAuthorization: { endpoint: `${backend}/auth`, transport: 'ajax' },
      userAuthentication: { endpoint: `${backend}/user-auth`, transport: 'ajax' },
    });
    sockets.set(socket, pusher);
    pusher.connection.bind('state_change', ({ current }) => {
      say({ socket, source: 'state', event: current, data: pusher.connection.socket_id ?? null });
    });
    pusher.connection.bind('error', (error) => say({ socket, source: 'state', event: 'error', data: plain(error) }));
    pusher.bind_global((event, data) => say({ socket, source: 'any', event, data: plain(data) }));
    pusher.user.bind_global((event, data) => say({ socket, source: 'user', event, data: plain(data) }));
    pusher.user.watchlist.bind_global((event, data) => say({ socket, source: 'watchlist', event, data: plain(data) }));
  },

  subscribe({ socket, channel }) {
    const pusher = sockets.get(socket);
    const joined = pusher.subscribe(channel);
    joined.bind_global((event, data) => {
      say({ socket, source: channel, event, data: plain(data) });
    });
  },

  // Only a listener for one event gets to know whose it is.
  listen({ socket, channel, event }) {
    sockets.get(socket).channel(channel).bind(event, (data, metadata) => {
      say({ socket, source: 'author', event, data: metadata?.user_id ?? null });
    });
  },

  unsubscribe: ({ socket, channel }) => sockets.get(socket).unsubscribe(channel),
  trigger: ({ socket, channel, event, data }) => sockets.get(socket).channel(channel).trigger(event, data),
  signin: ({ socket }) => sockets.get(socket).signin(),

  disconnect({ socket }) {
    sockets.get(socket).disconnect();
    sockets.delete(socket);
  },
};

listen((message) => {
  try {
    commands[message.do](message);
  } catch (error) {
    say({ socket: message.socket, source: 'failed', event: message.do, data: plain(error) });
  }
});
