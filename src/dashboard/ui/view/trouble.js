// @ts-check
// Why a run ended as it did: the reason first, then what failed, what is known, what to do, where to look.

import { add, fill, h, setText } from '../dom.js';
import { count, plural } from '../format.js';
import { icon } from '../icons.js';
import { stripped } from '../log/ansi.js';
import { hostPath } from '../router.js';
import { isFinal, isTrouble, phaseWord, stateWord } from '../words.js';
import { lost, outputWarnings, sentence } from './outcome.js';

/** @typedef {import('../types.js').Run} Run */
/** @typedef {import('../types.js').LogGap} LogGap */

/** States of a run that ended in the middle of a phase. */
const BROKEN_OFF = ['failed', 'stopped', 'timed_out', 'lost'];
const FIRST = 'First error';
/** Gaps that are named one by one. */
const GAPS = 5;

export class Trouble {
  /**
   * @param {() => void} onReboot
   * @param {() => Promise<number | null>} findError asks for the first error line's number
   * @param {(build: {name: string, drv?: string | undefined}) => void} onBuild opens a build's log
   */
  constructor(onReboot, findError, onBuild) {
    this.findError = findError;
    this.first = h('button', { type: 'button', class: 'link', onclick: () => this.toError() }, FIRST);
    /** @type {import('../types.js').Failure | undefined} */
    this.failure = undefined;
    this.whole = h('button', { type: 'button', class: 'link', onclick: () => this.failure && onBuild(this.failure) }, 'Its whole log');
    /** Whether the reader has not closed the failed build's log. */
    this.logOpen = true;
    this.element = h('section', { class: 'trouble', 'aria-label': 'How it ended', hidden: true });
    this.reboot = h('button', { type: 'button', onclick: onReboot }, icon('power'), 'Reboot…');
    /** @type {LogGap[]} */
    this.gaps = [];
    /** Whether the host offers a reboot to this reader. */
    this.canReboot = false;
    this.shown = '';
  }

  /** @param {Run} run */
  draw(run) {
    const trouble = isTrouble(run.state);
    const warnings = outputWarnings(run);
    const key = JSON.stringify([run.state, run.reason, run.failure, run.errors, run.exit_code, run.failed_units, warnings, run.phase, run.lines, this.gaps, this.canReboot]);
    if (key === this.shown) return;
    this.shown = key;
    this.failure = run.failure;
    this.element.hidden = !trouble && warnings.length === 0;
    this.element.className = `trouble ${run.verified === false && isFinal(run.state) ? 'bad' : trouble ? stateWord(run.state).tone : 'warn'}`;
    const focused = [this.reboot, this.first, this.whole].find((button) => button === document.activeElement);
    this.element.classList.toggle('has-failure', trouble && run.failure !== undefined);
    fill(this.element);
    if (trouble) add(this.element, ...this.ending(run));
    // What went wrong is at the end of the log; its room is measured once it is in the page.
    const log = this.element.querySelector('.failure-log');
    if (log) log.scrollTop = log.scrollHeight;
    for (const warning of warnings) add(this.element, h('p', { class: 'warning' }, icon('alert'), h('span', {}, warning)));
    if (run.bytes_missing > 0) add(this.element, this.where());
    if (trouble) add(this.element, this.clues(run));
    focused?.focus();
  }

  /** @param {Run} run @returns {(Node | null)[]} */
  ending(run) {
    const last = run.phases.at(-1);
    const where = BROKEN_OFF.includes(run.state) && last && last.phase !== 'running' ? ` while ${phaseWord(last.phase).toLowerCase()}` : '';
    const units = run.failed_units;
    const told = run.state === 'lost' ? lost(run) : { reason: run.reason ?? 'No reason was reported.', known: [], next: '' };
    return [
      h('h2', {}, icon(stateWord(run.state).icon), h('span', {}, `${stateWord(run.state).word}${where}`, run.failure ? `: ${run.failure.name}` : null)),
      ...(run.failure ? this.failed(run.failure) : []),
      h('p', { class: 'reason' }, told.reason),
      told.next !== '' ? h('p', { class: 'next' }, h('strong', {}, 'Next: '), told.next) : null,
      told.known.length > 0 ? h('p', { class: 'known' }, h('strong', {}, 'What is known: '), told.known.join(' ')) : null,
      units.length > 0 ? h('div', {}, `${units.length === 1 ? 'Unit' : 'Units'} that failed:`,
        h('ul', { class: 'units' }, ...units.map((unit) => h('li', {}, h('code', {}, unit))))) : null,
      run.state === 'reboot_required' && this.canReboot ? h('p', { class: 'next' }, this.reboot) : null,
    ];
  }

  /** The build that failed: the cause, where, and what it said last. @param {import('../types.js').Failure} failure */
  failed(failure) {
    const lines = (failure.log ?? []).map(stripped);
    const open = h('details', { class: 'failure-end', open: this.logOpen, ontoggle: () => (this.logOpen = open.open) },
      h('summary', {}, lines.length === 1 ? 'The last line of its log' : `The last ${lines.length} lines of its log`),
      h('pre', { class: 'failure-log', tabindex: '0' }, lines.join('\n')));
    return [
      h('p', { class: 'cause' }, h('strong', {}, sentence(failure.cause)), ' ',
        h('span', { class: 'quiet' }, failure.host ? `Built on ${failure.host}. ` : null, failure.drv ? h('code', {}, failure.drv) : null)),
      lines.length > 0 ? open : null,
      h('p', {}, this.whole),
    ];
  }

  /** Goes to the first error line, once it is known where that is. */
  async toError() {
    this.first.disabled = true;
    try {
      const n = await this.findError();
      setText(this.first, n === null ? 'No line that begins with “error:” was found' : FIRST);
      this.first.disabled = n === null;
      if (n !== null) location.hash = `#L${n}`;
    } catch {
      this.first.disabled = false;
    }
  }

  /** Where in the log output is missing. */
  where() {
    if (this.gaps.length === 0) return null;
    const more = this.gaps.length - GAPS;
    return h('p', { class: 'gaps-list' }, 'In the log: ',
      ...this.gaps.slice(0, GAPS).flatMap((gap, at) => [at > 0 ? ', ' : null, h('a', { href: `#L${gap.line}` }, gap.lines > 1 ? `lines ${count(gap.line)} to ${count(gap.line + gap.lines - 1)}` : `line ${count(gap.line)}`)]),
      more > 0 ? ` and ${plural(more, 'more place')}` : null, '.');
  }

  /** @param {Run} run */
  clues(run) {
    const last = run.phases.at(-1);
    return h('p', { class: 'quiet clues' }, h('span', {}, run.exit_code === null ? 'No exit code' : `Exit code ${run.exit_code}`),
      last && last.first_line > 0 ? h('a', { href: `#L${last.first_line}` }, `Where ${phaseWord(last.phase).toLowerCase()} began`) : null,
      run.lines > 0 && (run.failure || run.errors > 0) ? this.first : null,
      run.lines > 0 ? h('a', { href: `#L${run.lines}` }, 'Last line') : null,
      run.state === 'lost' ? h('a', { href: hostPath(run.host) }, `To ${run.host}`) : null);
  }
}
