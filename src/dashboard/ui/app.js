// @ts-check
// The page: who is logged in, which view is shown, whether what it shows is live.

import { RequestError, session, wayBack } from './api.js';
import { byId, fill, h } from './dom.js';
import { Fleet } from './fleet.js';
import { start } from './router.js';
import { Connection, top } from './view/top.js';
import { alertsView } from './view/alerts.js';
import { hostView } from './view/host.js';
import { hostsView } from './view/hosts.js';
import { runView } from './view/run.js';

/** @typedef {{session: import('./types.js').Session, fleet: Fleet, connection: Connection}} Context */

async function main() {
  const connection = new Connection();
  const who = await session();
  const back = wayBack();
  if (back !== null && (location.pathname === '/' || back.startsWith(`${location.pathname}#`))) history.replaceState(null, '', back);
  // A page that the browser kept may belong to a session that has ended.
  addEventListener('pageshow', (event) => event.persisted && session().catch(() => null));
  const fleet = new Fleet((state) => connection.set('hosts', state));
  /** @type {Context} */
  const context = { session: who, fleet, connection };
  fill(byId('top'), ...top(context));
  /** @type {() => void} */
  let leave = () => {};
  start((route) => {
    leave();
    connection.reset();
    const root = byId('main');
    root.className = '';
    fill(root);
    if (route?.view === 'hosts') leave = hostsView(root, context);
    else if (route?.view === 'host') leave = hostView(root, context, route.host);
    else if (route?.view === 'run') leave = runView(root, context, route.run);
    else if (route?.view === 'alerts') leave = alertsView(root, context);
    else {
      leave = () => {};
      document.title = 'Not found – NixFleet';
      fill(root, h('p', { class: 'quiet' }, 'There is no such page. ', h('a', { href: '/' }, 'All hosts')));
    }
  });
}

main().catch((error) => {
  if (error instanceof RequestError && error.status === 401) return;
  const text = error instanceof RequestError ? `${error.message} ${error.hint}` : 'The page could not start. Load it again.';
  fill(byId('main'), h('p', { class: 'error' }, text));
  throw error;
});
