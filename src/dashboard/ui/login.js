// @ts-check
// For login.html and setup.html: error texts by code, the setup token from the link, the way on, the repeated password.

/** @type {Record<string, string>} */
const ERRORS = {
  wrong: 'The user name, the password or the one-time code is wrong.',
  rate: 'Too many tries from this address. Wait a minute, then try again.',
  expired: 'This link has been used already or is too old. Restart the dashboard to get a new one, or log in.',
  weak: 'The password is too short: use at least 12 characters.',
  invalid: 'The user name has characters that are not allowed: use letters, digits, - and _.',
};

const query = new URLSearchParams(location.search);

const code = query.get('error');
const error = document.getElementById('error');
if (code !== null && error) {
  error.textContent = (Object.hasOwn(ERRORS, code) && ERRORS[code]) || 'That did not work. Try again.';
  error.hidden = false;
}

/** @param {string} id */
function input(id) {
  const found = document.getElementById(id);
  return found instanceof HTMLInputElement ? found : null;
}

const token = input('token');
if (token) token.value = query.get('token') ?? location.hash.slice(1);

// Where to go on after the login. The part after `#` never reaches the dashboard, so the page keeps it.
const next = input('next');
const wanted = query.get('next');
if (next && wanted !== null) {
  next.value = wanted;
  next.disabled = false;
  try {
    if (location.hash !== '') sessionStorage.setItem('nixfleet.next', wanted + location.hash);
  } catch {
    // Storage is refused: the login leads to the page, not to the line.
  }
}

const password = input('password');
const repeat = input('repeat');
if (password && repeat) {
  const check = () => repeat.setCustomValidity(repeat.value === password.value ? '' : 'The two passwords differ.');
  password.addEventListener('input', check);
  repeat.addEventListener('input', check);
}
