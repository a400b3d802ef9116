// @ts-check
// What a host has and uses now, each with its age; nothing of a host that is away.

import { percent } from '../amounts.js';
import { fill, h, setText } from '../dom.js';
import { age, bytes, duration, plural } from '../format.js';
import { drawBadge } from './host_parts.js';

/** @typedef {import('../fleet.js').Entry} Entry */
/** @typedef {import('../types.js').Resources} Resources */
/** @typedef {import('../types.js').Amount} Amount */

/** @param {string} name @param {Amount} amount @param {string} [note] */
function meter(name, amount, note = '') {
  const used = percent(amount);
  const bar = h('span', { class: 'bar-fill' });
  bar.style.setProperty('transform', `scaleX(${used / 100})`);
  return [h('dt', {}, name), h('dd', { class: used >= 90 ? 'meter high' : 'meter' },
    h('span', { class: 'bar', role: 'meter', 'aria-label': name, 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': Math.round(used) }, bar),
    h('span', {}, `${Math.round(used)} %`), h('span', { class: 'quiet' }, `${bytes(amount.available)} free of ${bytes(amount.total)}${note}`))];
}

export class ResourcesView {
  constructor() {
    this.age = h('span', { class: 'quiet' });
    this.list = h('dl', { class: 'resources' });
    this.none = h('p', { class: 'quiet' });
    this.units = h('span', { class: 'badge', hidden: true });
    this.reboot = h('span', { class: 'badge', hidden: true });
    /** For the host's title. */
    this.badges = h('span', { class: 'host-badges' }, this.units, this.reboot);
    this.element = h('section', { class: 'card', 'aria-label': 'Resources' }, h('div', { class: 'history-head' }, h('h2', {}, 'Resources'), this.age), this.none, this.list);
    this.key = '';
  }

  /** @param {Entry} entry */
  draw(entry) {
    const { host } = entry;
    const resources = host.status === 'online' ? host.resources ?? null : null;
    this.none.hidden = resources !== null;
    setText(this.none, host.status === 'online' ? 'No metrics: this agent does not read its host.' : 'Not known: the host is not online.');
    this.tick(entry);
    const units = resources?.failed_units?.count ?? 0;
    this.units.hidden = units === 0;
    if (units > 0) drawBadge(this.units, { word: plural(units, 'failed unit'), icon: 'alert', tone: 'bad' });
    const reasons = resources?.reboot_for ?? [];
    this.reboot.hidden = reasons.length === 0;
    if (reasons.length > 0) drawBadge(this.reboot, { word: `Reboot needed: ${reasons.join(', ')}`, icon: 'power', tone: 'warn' });
    const key = JSON.stringify({ ...resources, age_ms: 0 });
    if (key === this.key) return;
    this.key = key;
    fill(this.list, ...(resources ? rows(resources) : []));
  }

  /** What changes by time alone. @param {Entry} entry */
  tick(entry) {
    const resources = entry.host.status === 'online' ? entry.host.resources : null;
    const old = resources ? resources.age_ms + performance.now() - entry.told : 0;
    const stale = resources?.stale ?? false;
    setText(this.age, resources ? `read ${age(old)}${stale ? ': too old to be how the host is' : ''}` : '');
    this.age.className = stale ? 'warn' : 'quiet';
    this.list.classList.toggle('stale', stale);
  }
}

/** @param {Resources} resources */
function rows(resources) {
  /** @type {HTMLElement[]} */
  const rows = [];
  const put = (/** @type {string} */ name, /** @type {string} */ value) => rows.push(h('dt', {}, name), h('dd', {}, value));
  if (resources.load) {
    const free = resources.cores_available === undefined ? '' : `, ${resources.cores_available.toFixed(1)} free`;
    put('Load', `${resources.load.map((load) => load.toFixed(2)).join(' · ')}${resources.cores ? ` on ${plural(resources.cores, 'core')}${free}` : ''}`);
  }
  if (resources.memory) rows.push(...meter('Memory', resources.memory));
  if (resources.swap) rows.push(...meter('Swap', resources.swap));
  for (const disk of resources.disks ?? []) rows.push(...meter(disk.mount, disk, disk.store ? ', the Nix store' : ''));
  for (const gpu of resources.gpus ?? []) {
    const words = [gpu.percent === undefined ? '' : `${Math.round(gpu.percent)} % busy`, gpu.temperature === undefined ? '' : `${Math.round(gpu.temperature)} °C`].filter((word) => word !== '');
    if (gpu.vram) rows.push(...meter(gpu.name || 'GPU', gpu.vram, words.length > 0 ? `, ${words.join(', ')}` : ''));
    else put('GPU', [gpu.name || resources.gpu || '', ...words].join(', '));
  }
  if (resources.gpu && resources.gpu !== 'none' && !resources.gpus?.length) put('GPU', resources.gpu);
  if (resources.temperature !== undefined) put('Temperature', `${Math.round(resources.temperature)} °C`);
  if (resources.uptime_s !== undefined) put('Up', duration(resources.uptime_s * 1000));
  const units = resources.failed_units;
  if (units && units.count > 0) {
    const more = units.count - (units.names?.length ?? 0);
    put('Failed units', `${(units.names ?? []).join(', ')}${more > 0 ? ` and ${more} more` : ''}`);
  }
  return rows;
}
