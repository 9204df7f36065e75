// graphql-sse in its distinct connections mode: each operation is a request whose answer is a stream of events.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'graphql-sse';
import { CHANGES, followAnimal, followPerson, hears, listen } from './changes.js';
import { startGateway } from './gateway.js';
import { ANIMAL, create, describe, failures, hautAiIsDown, newAnimal, newPerson } from './subjects.js';

const timeout = 60_000;

let gateway;
let halfDown;

before(async () => {
  [gateway, halfDown] = await Promise.all([startGateway(), startGateway({ hautAi: 'down' })]);
});
after(() => Promise.all([gateway?.stop(), halfDown?.stop()]));

function connect(t, { stream }, options = {}) {
  const client = createClient({ url: stream, retryAttempts: 0, ...options });
  t.after(() => client.dispose());
  return client;
}

// The only result of a query or mutation.
async function run(client, query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  assert.equal(results.length, 1);
  return results[0];
}

test('every change arrives as it happens', { timeout }, async (t) => {
  const client = connect(t, gateway);
  const probe = await create(gateway, newPerson('Probe'));
  const listener = listen(client.iterate({ query: CHANGES }));
  await hears(gateway, listener, probe);
  await followAnimal(gateway, listener, 'sse-1');
  await followPerson(gateway, listener);
});

test('queries and mutations run as well', { timeout }, async (t) => {
  const client = connect(t, gateway);
  const query = 'query($by: SubjectBy!) { subject(by: $by) { id name } }';
  const found = await run(client, query, { by: { brainStemName: ANIMAL.name } });
  assert.deepEqual(found, { data: { subject: ANIMAL } });
  const mutation = `mutation($input: SubjectCreateInput!) {
    subjectCreate(input: $input) { subject { name } userErrors { code } }
  }`;
  const created = await run(client, mutation, { input: newAnimal('sse-2') });
  assert.deepEqual(created.data.subjectCreate, { subject: { name: 'sse-2' }, userErrors: [] });
});

test('an operation that is wrong gives a result with errors alone', { timeout }, async (t) => {
  const client = connect(t, gateway);
  for (const [query, code] of [
    ['subscription { subjectChanged { shoeSize } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription {', 'GRAPHQL_PARSE_FAILED'],
  ]) {
    const { data, errors } = await run(client, query);
    assert.equal(data, undefined);
    assert.equal(errors[0].extensions.code, code);
  }
});

test('a client goes on by itself after the connection is lost', { timeout }, async (t) => {
  const requests = [];
  const client = connect(t, gateway, {
    retryAttempts: 5,
    retry: () => Promise.resolve(),
    fetchFn: (url, { signal, ...init }) => {
      const request = new AbortController();
      signal.addEventListener('abort', () => request.abort());
      requests.push(request);
      return fetch(url, { ...init, signal: request.signal });
    },
  });
  const probe = await create(gateway, newPerson('Probe'));
  const listener = listen(client.iterate({ query: CHANGES, variables: { ids: [probe] } }));
  await hears(gateway, listener, probe);
  requests[0].abort();
  listener.changes.length = 0;
  await hears(gateway, listener, probe);
});

test('the stream is one that browsers and proxies understand', { timeout }, async (t) => {
  const leave = new AbortController();
  t.after(() => leave.abort());
  const url = new URL(gateway.stream);
  url.searchParams.set('query', '{ __typename }');
  // As the browser's own `EventSource` asks.
  const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: leave.signal });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  assert.match(response.headers.get('cache-control'), /no-(store|cache)/);
  const events = (await response.text())
    .split('\n\n')
    .map((event) => event.split('\n').map((line) => line.trim()))
    .map((lines) => lines.filter((line) => line !== '' && !line.startsWith(':')))
    .filter((lines) => lines.length > 0);
  assert.deepEqual(events, [
    ['event: next', 'data: {"data":{"__typename":"Query"}}'],
    // Browsers pass on no event without data.
    ['event: complete', 'data:'],
  ]);
});

test('with Haut.AI down changes of animals arrive', { timeout }, async (t) => {
  const client = connect(t, halfDown);
  const probe = await create(halfDown, newAnimal('sse-probe'));
  const listener = listen(client.iterate({ query: CHANGES }));
  await hears(halfDown, listener, probe, describe);
  await followAnimal(halfDown, listener, 'sse-3');
});

test('with Haut.AI down a query has the data and the error', { timeout }, async (t) => {
  const { data, errors } = await run(connect(t, halfDown), '{ subjects(first: 3) { nodes { source name } } }');
  assert.equal(data.subjects.nodes.length, 3);
  assert.ok(data.subjects.nodes.every(({ source }) => source === 'BRAINSTEM'));
  assert.deepEqual(failures(errors), hautAiIsDown(['subjects']));
});
