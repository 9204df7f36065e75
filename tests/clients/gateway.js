// Starts the gateway over the sandbox's upstreams, as an operator would, on free ports.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const BUILT = new URL('../../target/debug/subject-gateway', import.meta.url).pathname;

export const PROGRAM = process.env.SUBJECT_GATEWAY ?? BUILT;

const START_MS = 30_000;

// A process whose output is read until it has said everything that is waited for.
async function start(args, env, isReady, stream) {
  const child = spawn(PROGRAM, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = [];
  const ready = new Promise((resolve, reject) => {
    const giveUp = (why) => {
      clearTimeout(timer);
      child.kill();
      reject(new Error(`subject-gateway ${args.join(' ')}: ${why}\n${lines.join('\n')}`));
    };
    const timer = setTimeout(() => giveUp('not ready in time'), START_MS);
    for (const output of ['stdout', 'stderr']) {
      createInterface({ input: child[output] }).on('line', (line) => {
        lines.push(line);
        if (output === stream && isReady(lines)) {
          clearTimeout(timer);
          resolve();
        }
      });
    }
    child.once('error', (error) => giveUp(error.message));
    child.once('exit', (code) => giveUp(`ended with ${code}`));
  });
  await ready;
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  return { lines, stop };
}

// An address at which nothing listens: below the ports that are given out, so that nobody else can get it meanwhile.
export async function deadAddress() {
  return 'http://127.0.0.1:1';
}

/**
 * A gateway of its own for a test file: call `stop()` in the end.
 *
 * `hautAi: 'down'` points it at an address at which nothing listens. `env` adds variables.
 */
export async function startGateway({ hautAi = 'up', env = {} } = {}) {
  const upstreams = await start(
    ['sandbox', '--upstreams-only'],
    {},
    (lines) => lines.some((line) => line.includes('Ctrl-C')),
    'stdout',
  );
  const exported = upstreams.lines.map((line) => line.match(/^export (\w+)='?([^']*)'?$/)).filter(Boolean);
  // Each variable has several flavours: the first is the one with a token.
  const configured = {};
  for (const [, name, value] of exported) configured[name] ??= value;
  for (const name of ['HAUT_AI_USERNAME', 'HAUT_AI_PASSWORD', 'BRAINSTEM_PORTAL']) delete configured[name];
  if (hautAi === 'down') configured.HAUT_AI_URL = await deadAddress();
  try {
    const listening = /address=([\d.:]+)/;
    const gateway = await start(
      ['serve'],
      { GATEWAY_LISTEN: '127.0.0.1:0', GATEWAY_CORS_ORIGINS: 'localhost', NO_COLOR: '1', ...configured, ...env },
      (lines) => lines.some((line) => listening.test(line)),
      'stderr',
    );
    const [, address] = gateway.lines.find((line) => listening.test(line)).match(listening);
    return {
      url: `http://${address}`,
      graphql: `http://${address}/graphql`,
      websocket: `ws://${address}/graphql/ws`,
      stream: `http://${address}/graphql/stream`,
      // What the gateway has logged so far.
      log: gateway.lines,
      upstreams: configured,
      async stop() {
        await gateway.stop();
        await upstreams.stop();
      },
    };
  } catch (error) {
    await upstreams.stop();
    throw error;
  }
}

// Sends one query without any client library.
export async function ask(gateway, query, variables) {
  const response = await fetch(gateway.graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}
