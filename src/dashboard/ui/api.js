// @ts-check
// Requests to the dashboard.

/** @typedef {import('./types.js').Session} Session */

/** A request that was refused or failed, with what to do about it. */
export class RequestError extends Error {
  /** @param {number} status @param {string} code @param {string} message @param {string} hint */
  constructor(status, code, message, hint) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** Milliseconds that a request may take. */
const DEADLINE = 15_000;

let csrf = '';
/** What to add to this machine's clock to get the dashboard's, in milliseconds. */
let offset = 0;

/** Now, by the dashboard's clock to about a second. */
export const dashboardNow = () => Date.now() + offset;

/** Where a reader was when the session ended, for the way back after the login. */
const NEXT = 'nixfleet.next';

/** Sends a reader without a session to the login page. @param {boolean} [back] whether to come back to this address afterwards */
export function toLogin(back = true) {
  try {
    if (back) sessionStorage.setItem(NEXT, location.pathname + location.search + location.hash);
    else sessionStorage.removeItem(NEXT);
  } catch {
    // Storage is refused: the login leads to the hosts.
  }
  location.assign('/login');
}

/** After a login: the address that was asked for before it, once; null if there was none. @returns {string | null} */
export function wayBack() {
  try {
    const next = sessionStorage.getItem(NEXT);
    sessionStorage.removeItem(NEXT);
    // Only an address of this dashboard: `//elsewhere` is another one.
    return next !== null && /^\/((hosts|runs)\/|alerts$)/.test(next) ? next : null;
  } catch {
    return null;
  }
}

/** @returns {Promise<Session>} */
export async function session() {
  const found = /** @type {Session} */ (await get('/api/session'));
  csrf = found.csrf_token;
  return found;
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export function get(path, signal) {
  return request('GET', path, undefined, signal);
}

/**
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export function post(path, body) {
  return request('POST', path, body);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {AbortSignal} [signal]
 */
async function request(method, path, body, signal) {
  /** @type {Record<string, string>} */
  const headers = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-CSRF-Token'] = csrf;
  if (body) headers['Content-Type'] = 'application/json';
  const deadline = AbortSignal.timeout(DEADLINE);
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body ? JSON.stringify(body) : null,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new RequestError(0, 'unreachable', 'The dashboard does not answer.', 'Check the connection, then try again.');
  }
  const date = Date.parse(response.headers.get('Date') ?? '');
  // The header counts whole seconds: a smaller difference says nothing.
  if (!Number.isNaN(date)) offset = Math.abs(date - Date.now()) < 2000 ? 0 : date - Date.now();
  if (response.status === 401) toLogin();
  const text = await response.text();
  if (response.ok) return text === '' ? null : parse(text);
  const error = parse(text)?.error;
  throw new RequestError(
    response.status,
    String(error?.code ?? 'failed'),
    String(error?.message ?? `The dashboard answered ${response.status}.`),
    String(error?.hint ?? ''),
  );
}

/** @param {string} text @returns {any} */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
