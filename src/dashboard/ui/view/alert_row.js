// @ts-check
// One alert on a line: how bad, where, what, since when.

import { dashboardNow } from '../api.js';
import { h } from '../dom.js';
import { age, between, dateTime, duration, plural } from '../format.js';
import { icon } from '../icons.js';
import { hostPath, runPath } from '../router.js';
import { severityWord } from '../words.js';

/** @typedef {import('../types.js').Alert} Alert */

/** @param {Alert} alert @returns {HTMLElement} */
export function alertRow(alert) {
  const word = severityWord(alert.severity);
  const over = alert.state === 'recovered';
  const sentence = alert.ended ? `${alert.summary} (${alert.ended})` : alert.summary;
  return h('li', { class: `alert-row ${over ? 'over' : ''}`, 'data-alert': alert.id },
    h('span', { class: `badge ${over ? 'good' : word.tone}`, title: `Rule: ${alert.rule}` }, icon(over ? 'check' : word.icon), over ? 'Over' : word.word),
    alert.host ? h('a', { class: 'alert-host', href: hostPath(alert.host) }, alert.host) : h('span', { class: 'alert-host' }, 'Dashboard'),
    alert.run ? h('a', { class: 'alert-what', href: runPath(alert.run) }, sentence) : h('span', { class: 'alert-what' }, sentence),
    h('time', { class: 'quiet', datetime: alert.started_at, title: dateTime(alert.started_at) },
      over ? `${dateTime(alert.started_at)}, ${duration(between(alert.started_at, alert.recovered_at))}`
        : age(dashboardNow() - Date.parse(alert.started_at))),
    told(alert));
}

/** What was told of it, in a few words. @param {Alert} alert */
function told(alert) {
  const failed = alert.deliveries.filter((delivery) => delivery.state === 'failed');
  const waits = alert.deliveries.filter((delivery) => delivery.state === 'queued');
  const sent = new Set(alert.deliveries.filter((delivery) => delivery.state === 'sent').map((delivery) => delivery.channel));
  const texts = [
    sent.size > 0 ? `told on ${[...sent].join(', ')}` : '',
    waits.length > 0 ? `${plural(waits.length, 'message')} waiting for ${[...new Set(waits.map((delivery) => delivery.channel))].join(', ')}` : '',
    failed.length > 0 ? `not told on ${[...new Set(failed.map((delivery) => `${delivery.channel}: ${delivery.error ?? ''}`))].join('; ')}` : '',
  ].filter((text) => text !== '');
  return h('span', { class: failed.length > 0 ? 'alert-told bad' : 'alert-told quiet' }, texts.join(', '));
}
