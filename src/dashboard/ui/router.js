// @ts-check
// Which view an address shows, and links that change the address without loading the page again.

/** @typedef {{view: 'hosts'} | {view: 'host', host: string} | {view: 'run', run: string} | {view: 'alerts'}} Route */

/**
 * @param {string} path
 * @returns {Route | null}
 */
export function route(path) {
  const parts = path.split('/').filter((part) => part !== '').map(decode);
  const [first, second] = parts;
  if (parts.length === 0) return { view: 'hosts' };
  if (parts.length === 2 && first === 'hosts' && second) return { view: 'host', host: second };
  if (parts.length === 2 && first === 'runs' && second) return { view: 'run', run: second };
  if (parts.length === 1 && first === 'alerts') return { view: 'alerts' };
  return null;
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} host */
export const hostPath = (host) => `/hosts/${encodeURIComponent(host)}`;
/** @param {string} run */
export const runPath = (run) => `/runs/${encodeURIComponent(run)}`;

/** How far each address was scrolled, for the way back. @type {Map<string, number>} */
const scrolled = new Map();
let shown = '';
/** @type {(route: Route | null) => void} */
let show = () => {};

/** @param {(route: Route | null) => void} onRoute */
export function start(onRoute) {
  show = onRoute;
  history.scrollRestoration = 'manual';
  addEventListener('popstate', () => {
    // A change of the line after `#` alone stays on the same view.
    if (location.pathname !== shown) arrive(true);
  });
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname === location.pathname && link.hash !== '') return;
    if (!route(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
  });
  arrive(false);
}

/** @param {string} address */
export function go(address) {
  scrolled.set(shown, scrollY);
  history.pushState(null, '', address);
  arrive(false);
}

/** @param {boolean} back */
function arrive(back) {
  shown = location.pathname;
  show(route(shown));
  scrollTo(0, back ? scrolled.get(shown) ?? 0 : 0);
}
