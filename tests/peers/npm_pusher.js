// The official npm library, one call a line: {id, call, options, args} gives {id, result} or {id, error}.
'use strict';

const nacl = require('tweetnacl');
const Pusher = require('pusher');

const { listen, say } = require('./lines');

const calls = {
  // The signed query of a request at a given time.
  sign(pusher, { method, path, params, body, timestamp }) {
    const now = Date.now;
    Date.now = () => timestamp * 1000;
    try {
      return pusher.createSignedQueryString({ method, path, params, body });
    } finally {
      Date.now = now;
    }
  },

  // What a subscriber with this library's secret for the channel reads in an encrypted event's data.
  open(pusher, { channel, data }) {
    const { nonce, ciphertext } = JSON.parse(data);
    const [box, once] = [Buffer.from(ciphertext, 'base64'), Buffer.from(nonce, 'base64')];
    const opened = nacl.secretbox.open(box, once, pusher.channelSharedSecret(channel));
    return opened && Buffer.from(opened).toString('utf8');
  },

  // What this library sends for a text and a nonce, which is otherwise random.
  seal(pusher, { channel, text, nonce }) {
    const box = nacl.secretbox(Buffer.from(text), Buffer.from(nonce, 'base64'), pusher.channelSharedSecret(channel));
    return JSON.stringify({ nonce, ciphertext: Buffer.from(box).toString('base64') });
  },

  webhook(pusher, { headers, body, tokens }) {
    const webhook = pusher.webhook({ headers, rawBody: body });
    return { valid: webhook.isValid(tokens), events: webhook.isBodyValid() ? webhook.getEvents() : null };
  },

  // Any method of the library itself, by its name.
  method: (pusher, { name, values }) => pusher[name](...values),
};

listen(async ({ id, call, options, args }) => {
  try {
    const result = await calls[call](new Pusher(options), args);
    // An HTTP answer is no JSON: the text of its body is.
    say({ id, result: typeof result?.text === 'function' ? await result.text() : (result ?? null) });
  } catch (error) {
    say({ id, error: error.message, status: error.status ?? null, body: error.body ?? null });
  }
});
