// @ts-check
// Runs that wait for a host, on the host's page.

import { dashboardNow } from '../api.js';
import { fill, h, setText } from '../dom.js';
import { icon } from '../icons.js';
import { runPath } from '../router.js';
import { waitingText } from './outcome.js';
import { askStop } from './stop.js';

/** @typedef {import('../types.js').Run} Run */

export class Waiting {
  /** @param {string} refusal why this reader may not cancel; empty if he may */
  constructor(refusal) {
    this.refusal = refusal;
    this.list = h('ul', { class: 'waiting-runs' });
    this.element = h('section', { class: 'card', 'aria-label': 'Waiting runs', hidden: true }, h('h2', {}, 'Waiting'), this.list);
    /** @type {Run[]} */
    this.runs = [];
    this.key = '';
  }

  /** @param {Run[]} runs */
  draw(runs) {
    this.runs = runs;
    this.element.hidden = runs.length === 0;
    const key = JSON.stringify(runs.map((run) => [run.id, run.queued_until]));
    if (key !== this.key) {
      this.key = key;
      fill(this.list, ...runs.map((run) => h('li', { 'data-run': run.id },
        h('a', { class: 'run-command', href: runPath(run.id) }, [run.command, ...run.args].join(' ')),
        h('span', { class: 'until' }), h('span', { class: 'quiet' }, `asked for by ${run.requested_by}`),
        h('button', { type: 'button', class: 'danger', disabled: this.refusal !== '', title: this.refusal, 'aria-label': `Cancel ${run.command}`,
          onclick: () => askStop(() => this.runs.find((held) => held.id === run.id) ?? run) }, icon('stop'), 'Cancel'))));
    }
    this.tick();
  }

  tick() {
    this.runs.forEach((run, at) => {
      const until = this.list.children[at]?.querySelector('.until');
      if (until) setText(until, waitingText(run, dashboardNow()));
    });
  }
}
