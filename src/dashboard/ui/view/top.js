// @ts-check
// The page's head, and the banner that says when what is shown is not live.

import { post, toLogin } from '../api.js';
import { announce, byId, fill, h, setText } from '../dom.js';
import { duration } from '../format.js';
import { icon } from '../icons.js';

/** @typedef {import('../live.js').StreamState} StreamState */

/** A loss shorter than this is not worth a banner. Milliseconds. */
const GRACE = 1500;

/** Whether the streams that the current view needs are live. */
export class Connection {
  constructor() {
    /** Since when each lost stream is lost, on `performance.now()`. @type {Map<string, number>} */
    this.lost = new Map();
    this.element = h('span', { class: 'connection' });
    this.told = false;
    setInterval(() => this.draw(), 1000);
  }

  /** @param {string} name @param {StreamState} state */
  set(name, state) {
    if (state === 'lost') {
      if (!this.lost.has(name)) this.lost.set(name, performance.now());
    } else if (state === 'live') {
      this.lost.delete(name);
    }
    this.draw();
  }

  /** A new view starts without losses. */
  reset() {
    this.lost.clear();
    this.draw();
  }

  draw() {
    const banner = byId('banner');
    const since = Math.min(...this.lost.values());
    const gone = performance.now() - since;
    const lost = this.lost.size > 0 && gone > GRACE;
    document.documentElement.classList.toggle('not-live', lost);
    banner.hidden = !lost;
    if (lost) {
      // The whole sentence is announced once; afterwards only the seconds change, in an element of their own.
      let time = banner.querySelector('.since');
      if (!time) {
        time = h('span', { class: 'since', 'aria-live': 'off' });
        fill(banner, icon('turn'), h('span', {}, 'Not live since ', time, ', reconnecting. What you see is old.'));
      }
      setText(time, duration(gone));
    } else if (this.told) {
      fill(banner);
      announce('Live again.');
    }
    this.told = lost;
  }
}

/** @param {import('../app.js').Context} context @returns {Node[]} */
export function top(context) {
  const { user, role } = context.session;
  return [
    h('a', { class: 'brand', href: '/' }, h('img', { src: '/ui/favicon.svg', alt: '', width: 22, height: 22 }), 'NixFleet'),
    h('nav', { 'aria-label': 'Main' }, h('a', { href: '/' }, 'Hosts'), ' ', h('a', { href: '/alerts' }, 'Alerts')),
    h('span', { class: 'gap' }),
    themeButton(),
    h('span', { class: 'who', title: `Role: ${role}` }, user, h('span', { class: 'quiet' }, ` ${role}`)),
    h('button', {
      type: 'button', class: 'plain', onclick: async () => {
        await post('/logout').catch(() => null);
        toLogin(false);
      },
    }, 'Log out'),
  ];
}

function themeButton() {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const button = h('button', { type: 'button', class: 'plain theme' });
  const draw = () => {
    const other = isDark() ? 'light' : 'dark';
    button.setAttribute('aria-label', `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
    fill(button, icon(isDark() ? 'sun' : 'moon'));
  };
  button.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem('nixfleet.theme', theme);
    } catch {
      // Storage is refused: the choice holds until the page is left.
    }
    draw();
  });
  system.addEventListener('change', draw);
  draw();
  return button;
}
