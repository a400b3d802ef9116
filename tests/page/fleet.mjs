// @ts-check
// A dashboard and its hosts as real programs, with a link between them that can be slow or cut, and a rebuild tool that does
// what a test says.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './browser.mjs';

export const USER = 'admin';
export const PASSWORD = 'a page test of 2 words';

/** A link from agents to the dashboard. */
export class Link {
  /** @param {number} port the dashboard's */
  constructor(port) {
    this.port = port;
    /** Bytes a second towards the dashboard. */
    this.rate = Infinity;
    this.up = true;
    /** @type {Set<import('node:net').Socket>} */
    this.sockets = new Set();
    this.server = createServer((near) => this.join(near));
  }

  /** @returns {Promise<number>} the port to connect to */
  listen() {
    return new Promise((resolve) => {
      this.server.listen(0, '127.0.0.1', () => resolve(/** @type {import('node:net').AddressInfo} */ (this.server.address()).port));
    });
  }

  /** @param {import('node:net').Socket} near */
  join(near) {
    if (!this.up) {
      near.destroy();
      return;
    }
    const far = connect(this.port, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]]) {
      if (!one || !other) continue;
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
    far.pipe(near);
    near.on('data', (data) => {
      far.write(data);
      if (this.rate === Infinity) return;
      near.pause();
      setTimeout(() => near.resume(), (data.length / this.rate) * 1000);
    });
  }

  /** Nothing goes through until it is mended. */
  cut() {
    this.up = false;
    for (const socket of this.sockets) socket.destroy();
  }

  mend() {
    this.up = true;
  }
}

/** One host: its agent's configuration, and what its rebuild tool does. */
export class TestHost {
  /** @param {TestFleet} fleet @param {string} name @param {number} port @param {string} more TOML that goes behind it */
  constructor(fleet, name, port, more) {
    this.fleet = fleet;
    this.name = name;
    this.dir = join(fleet.dir, name);
    mkdirSync(this.dir);
    this.tool = join(this.dir, 'nixos-rebuild');
    this.config = join(this.dir, 'agent.toml');
    /** @type {import('node:child_process').ChildProcess | null} */
    this.agent = null;
    this.rebuilds('true');
    writeFileSync(this.config, `url = "http://127.0.0.1:${port}"
token_file = "${join(fleet.dir, 'agent-token')}"
hostname = "${name}"
interval = 1
state_dir = "${join(this.dir, 'state')}"
location = "rack 2"
device_type = "test"
# A test must never reboot the machine that it runs on.
allowed_commands = ["switch"]
[stop]
grace = 1
[rebuild]
tool = "nixos-rebuild"
program = "${this.tool}"
flake = "${this.dir}"
${more}
`);
  }

  /** What the next rebuild does: lines of a shell script. @param {string} script */
  rebuilds(script) {
    writeFileSync(this.tool, `#!/bin/bash\n${script}\n`);
    chmodSync(this.tool, 0o755);
  }

  start() {
    this.agent = this.fleet.spawn('nixfleet-agent', ['--config', this.config], join(this.dir, 'agent.log'));
  }

  /** The agent dies; its supervisors live. @returns {Promise<unknown>} */
  kill() {
    const { agent } = this;
    if (!agent) return Promise.resolve();
    return new Promise((resolve) => {
      agent.once('exit', resolve);
      agent.kill('SIGKILL');
    });
  }

  /** Process ids of this host's supervisors. @returns {number[]} */
  supervisors() {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return argv.includes('supervise') && argv.some((argument) => argument.startsWith(this.dir));
      } catch {
        return false;
      }
    });
  }
}

export class TestFleet {
  /** @param {string} bin directory of the programs */
  constructor(bin) {
    this.bin = bin;
    this.dir = mkdtempSync(join(tmpdir(), 'nixfleet-page-'));
    this.base = '';
    /** @type {Set<import('node:child_process').ChildProcess>} */
    this.children = new Set();
    /** @type {Map<string, TestHost>} */
    this.hosts = new Map();
    /** @type {Link | null} */
    this.link = null;
  }

  /** @param {string} program @param {string[]} args @param {string} log */
  spawn(program, args, log) {
    const child = spawn(join(this.bin, program), args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH ?? '', HOME: this.dir } });
    this.children.add(child);
    child.on('exit', () => this.children.delete(child));
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (/** @type {Buffer} */ data) => writeFileSync(log, data, { flag: 'a' }));
    return child;
  }

  /** Starts the dashboard, with a user. */
  async start() {
    const config = join(this.dir, 'dashboard.toml');
    const log = join(this.dir, 'dashboard.log');
    mkdirSync(join(this.dir, 'data'));
    writeFileSync(join(this.dir, 'agent-token'), 'x'.repeat(48), { mode: 0o600 });
    writeFileSync(join(this.dir, 'password'), PASSWORD, { mode: 0o600 });
    writeFileSync(config, `listen = "127.0.0.1:0"\ndata_dir = "${join(this.dir, 'data')}"\nagent_token_file = "${join(this.dir, 'agent-token')}"\n`);
    const made = spawnSync(join(this.bin, 'nixfleet-dashboard'), ['--config', config, 'user', 'create', USER, '--role', 'admin', '--password-file', join(this.dir, 'password')]);
    assert.equal(made.status, 0, String(made.stderr));
    this.spawn('nixfleet-dashboard', ['--config', config, ...(process.env.UI_DIR ? ['--ui-dir', process.env.UI_DIR] : [])], log);
    this.base = await until('the dashboard listens', async () => {
      try {
        return /listening on (http\S+)/.exec(readFileSync(log, 'utf8'))?.[1];
      } catch {
        return null;
      }
    });
    this.link = new Link(Number(new URL(this.base).port));
    this.port = await this.link.listen();
  }

  /** A new host whose agent runs. @param {string} name @param {string} [more] */
  host(name, more = '') {
    const host = new TestHost(this, name, this.port ?? 0, more);
    this.hosts.set(name, host);
    host.start();
    return host;
  }

  /** Ends what it started, and only that. */
  async stop() {
    const left = [...this.hosts.values()].flatMap((host) => host.supervisors());
    for (const child of this.children) child.kill('SIGKILL');
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    this.link?.cut();
    this.link?.server.close();
    await until('all programs ended', async () => this.children.size === 0);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
