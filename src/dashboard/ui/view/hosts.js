// @ts-check
// All hosts: a live table that stays quick with thousands, because only rows in view are filled, drawn and ticking.

import { fill, h, setText } from '../dom.js';
import { count } from '../format.js';
import { icon } from '../icons.js';
import { Recent } from '../recent.js';
import { STATUSES, statusOf, statusWord } from '../words.js';
import { AlertStrip } from './alerts.js';
import { HostRow } from './host_row.js';

/** @typedef {'name' | 'status'} Order */

/** Rows are put in a new order at most this often, in milliseconds, so that nothing runs away under the pointer. */
const CALM = 1000;
const collator = new Intl.Collator('en', { numeric: true });

class HostsView {
  /** @param {HTMLElement} root @param {import('../app.js').Context} context */
  constructor(root, context) {
    this.fleet = context.fleet;
    /** @type {Map<string, HostRow>} */
    this.rows = new Map();
    const query = new URLSearchParams(location.search);
    this.filter = query.get('q') ?? '';
    /** @type {string | null} */
    this.status = query.get('status');
    /** @type {Order} */
    this.order = query.get('sort') === 'status' ? 'status' : 'name';
    this.ordered = '';
    this.hinted = '';

    this.input = h('input', { type: 'search', placeholder: 'Filter hosts', 'aria-label': 'Filter hosts', value: this.filter, spellcheck: 'false',
      oninput: () => this.choose(() => (this.filter = this.input.value)) });
    this.counts = h('div', { class: 'counts', role: 'group', 'aria-label': 'Hosts by status' });
    this.sort = { name: this.sortButton('name', 'Host'), status: this.sortButton('status', 'Status') };
    this.body = h('div', { role: 'rowgroup', class: 'hosts-body' });
    this.note = h('p', { class: 'quiet' }, 'Loading …');
    const head = (/** @type {string} */ text) => h('div', { role: 'columnheader' }, text);
    this.table = h('div', { role: 'table', class: 'hosts', 'aria-label': 'Hosts', hidden: true },
      h('div', { role: 'rowgroup' }, h('div', { role: 'row', class: 'host hosts-head' }, this.sort.name.cell, this.sort.status.cell,
        head('Doing'), head('Metrics'), head('Generation'), head('Last seen'))),
      this.body);
    this.alerts = new AlertStrip();
    fill(root, this.alerts.element, h('div', { class: 'hosts-bar' }, h('h1', {}, 'Hosts'), this.counts, h('span', { class: 'gap' }), this.input), this.table, this.note);
    document.title = 'Hosts – NixFleet';

    this.recent = new Recent((names) => names.forEach((name) => this.rows.get(name)?.drawRecent()));
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) this.rows.get(/** @type {HTMLElement} */ (entry.target).dataset.host ?? '')?.see(entry.isIntersecting);
    }, { rootMargin: '300px 0px' });
    this.ticking = setInterval(() => this.tick(), CALM);
    this.unlisten = this.fleet.listen({ hosts: (names) => this.changed(names), alerts: () => this.alerts.load() });
    this.alerts.load();
    this.drawSort();
  }

  /** @param {Order} order @param {string} text */
  sortButton(order, text) {
    const button = h('button', { type: 'button', class: 'sort', onclick: () => this.choose(() => (this.order = order)) }, text, icon('chevron'));
    return { button, cell: h('div', { role: 'columnheader' }, button) };
  }

  drawSort() {
    for (const order of /** @type {const} */ (['name', 'status'])) {
      this.sort[order].cell.setAttribute('aria-sort', this.order === order ? 'ascending' : 'none');
    }
  }

  /** Takes a choice of the reader into the address, so that it can be shared and survives a reload. @param {() => void} change */
  choose(change) {
    change();
    const query = new URLSearchParams();
    if (this.filter !== '') query.set('q', this.filter);
    if (this.status !== null) query.set('status', this.status);
    if (this.order !== 'name') query.set('sort', this.order);
    history.replaceState(null, '', query.size > 0 ? `/?${query}` : '/');
    this.drawSort();
    this.arrange();
    this.drawCounts();
  }

  /** @param {Set<string> | null} names null: all of them */
  changed(names) {
    const { entries } = this.fleet;
    let arranged = false;
    for (const name of names ?? entries.keys()) {
      const entry = entries.get(name);
      if (!entry) continue;
      const row = this.rows.get(name);
      if (row) row.set(entry);
      else {
        const added = new HostRow(entry, () => this.fleet.waitingFor(name), () => this.recent.of(name));
        this.rows.set(name, added);
        arranged = true;
      }
      this.rows.get(name)?.draw();
    }
    if (names === null) {
      for (const [name, row] of this.rows) {
        if (entries.has(name)) continue;
        this.seen.unobserve(row.element);
        row.element.remove();
        this.rows.delete(name);
        arranged = true;
      }
      arranged = true;
    }
    if (arranged) {
      this.arrange();
      this.drawCounts();
    }
  }

  tick() {
    for (const row of this.rows.values()) {
      row.tick();
      row.shed();
    }
    this.recent.want([...this.rows.values()].filter((row) => row.visible).map((row) => row.entry.host.hostname));
    this.arrange();
    this.drawCounts();
  }

  /** Puts the rows that pass the filter in order; touches the page only where something moved. */
  arrange() {
    const words = this.filter.toLowerCase().split(/\s+/).filter((word) => word !== '');
    const rank = new Map(STATUSES.map((status, at) => [/** @type {string} */ (status), at]));
    const shown = [...this.rows.values()].filter((row) => (this.status === null || statusOf(row.entry.host) === this.status)
      && words.every((word) => row.text.includes(word)));
    const byName = (/** @type {HostRow} */ a, /** @type {HostRow} */ b) => collator.compare(a.entry.host.hostname, b.entry.host.hostname);
    shown.sort(this.order === 'name' ? byName
      : (a, b) => (rank.get(statusOf(a.entry.host)) ?? 9) - (rank.get(statusOf(b.entry.host)) ?? 9) || byName(a, b));
    const ordered = shown.map((row) => row.entry.host.hostname).join('\n');
    if (ordered !== this.ordered || this.body.childElementCount !== shown.length) {
      this.ordered = ordered;
      this.place(shown);
    }
    this.table.hidden = this.rows.size === 0;
    this.note.hidden = shown.length > 0;
    if (shown.length === 0) setText(this.note, this.emptyText());
  }

  /** @param {HostRow[]} shown */
  place(shown) {
    const keep = new Set(shown.map((row) => row.element));
    for (const row of this.rows.values()) {
      if (keep.has(row.element) || !row.element.isConnected) continue;
      this.seen.unobserve(row.element);
      row.see(false);
      row.element.remove();
    }
    /** @type {Element | null} */
    let next = this.body.firstElementChild;
    for (const row of shown) {
      if (row.element === next) {
        next = next.nextElementSibling;
        continue;
      }
      const isNew = !row.element.isConnected;
      this.body.insertBefore(row.element, next);
      if (isNew) this.seen.observe(row.element);
    }
  }

  emptyText() {
    if (!this.fleet.loaded) return 'Loading …';
    if (this.rows.size === 0) return 'No host has registered yet. Start nixfleet-agent on a host with this dashboard’s address and token.';
    return 'No host passes the filter.';
  }

  drawCounts() {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const row of this.rows.values()) counts.set(statusOf(row.entry.host), (counts.get(statusOf(row.entry.host)) ?? 0) + 1);
    const key = `${[...counts].sort().join()}|${this.status}`;
    if (key === this.hinted) return;
    this.hinted = key;
    const had = this.counts.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.status : null;
    fill(this.counts, ...STATUSES.filter((status) => counts.has(status) || status === this.status).map((status) => {
      const word = statusWord(status);
      return h('button', { type: 'button', class: `count ${word.tone}`, 'data-status': status, 'aria-pressed': String(this.status === status),
        title: `Show only ${word.word.toLowerCase()}`,
        onclick: () => this.choose(() => (this.status = this.status === status ? null : status)) },
      icon(word.icon), h('b', {}, count(counts.get(status) ?? 0)), ` ${word.word.toLowerCase()}`);
    }));
    if (had) /** @type {HTMLElement | null} */ (this.counts.querySelector(`[data-status="${had}"]`))?.focus();
  }

  leave() {
    clearInterval(this.ticking);
    this.alerts.leave();
    this.seen.disconnect();
    this.recent.leave();
    this.unlisten();
  }
}

/** @param {HTMLElement} root @param {import('../app.js').Context} context @returns {() => void} */
export function hostsView(root, context) {
  const view = new HostsView(root, context);
  return () => view.leave();
}
