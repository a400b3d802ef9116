// @ts-check
// An agent that says what a test wants it to: a WebSocket by hand, because Node's own cannot send a token.

import { randomBytes } from 'node:crypto';
import { request } from 'node:http';

export class SpokenAgent {
  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.socket = socket;
    this.n = 0;
    socket.on('error', () => {});
    // What the dashboard says is of no interest here; without a reader it would stop to send.
    socket.resume();
  }

  /**
   * @param {string} base @param {string} token @param {object} register
   * @returns {Promise<SpokenAgent>}
   */
  static join(base, token, register) {
    return new Promise((resolve, reject) => {
      const asked = request(`${base}/ws`, { headers: {
        Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64'), Authorization: `Bearer ${token}`,
      } });
      asked.on('upgrade', (_, socket) => {
        const agent = new SpokenAgent(/** @type {import('node:net').Socket} */ (socket));
        agent.say('register', register);
        resolve(agent);
      });
      asked.on('response', (response) => reject(new Error(`no WebSocket but ${response.statusCode}`)));
      asked.on('error', reject);
      asked.end();
    });
  }

  /** One masked text frame. @param {string} type @param {object} payload */
  say(type, payload) {
    const text = Buffer.from(JSON.stringify({ type, payload }));
    const mask = randomBytes(4);
    const head = text.length < 126 ? Buffer.from([0x81, 0x80 | text.length]) : Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 255]);
    this.socket.write(Buffer.concat([head, mask, text.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]));
  }

  /** @param {object} heartbeat */
  beat(heartbeat) {
    this.n += 1;
    this.say('heartbeat', { n: this.n, ...heartbeat });
  }

  leave() {
    this.socket.destroy();
  }
}
