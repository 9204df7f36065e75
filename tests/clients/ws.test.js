// graphql-ws: everything over one WebSocket, and what the gateway does when the protocol is broken.
import assert from 'node:assert/strict';
import { on, once } from 'node:events';
import { after, before, test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { CHANGES, followAnimal, followPerson, hears, listen } from './changes.js';
import { startGateway } from './gateway.js';
import { ANIMAL, create, describe, failures, hautAiIsDown, newAnimal, newPerson, rename } from './subjects.js';

const timeout = 60_000;

let gateway;
let halfDown;

before(async () => {
  [gateway, halfDown] = await Promise.all([startGateway(), startGateway({ hautAi: 'down' })]);
});
after(() => Promise.all([gateway?.stop(), halfDown?.stop()]));

function connect(t, { websocket }, options = {}) {
  const client = createClient({ url: websocket, webSocketImpl: WebSocket, retryAttempts: 0, ...options });
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
  await followAnimal(gateway, listener, 'ws-1');
  await followPerson(gateway, listener);
});

test('only changes of the subjects that were asked for arrive', { timeout }, async (t) => {
  const client = connect(t, gateway);
  const [other, probe] = [await create(gateway, newPerson('Ada')), await create(gateway, newPerson('Probe'))];
  const byIds = listen(client.iterate({ query: CHANGES, variables: { ids: [probe] } }));
  const bySource = listen(client.iterate({ query: CHANGES, variables: { sources: ['HAUT_AI'] } }));
  await Promise.all([byIds, bySource].map((listener) => hears(gateway, listener, probe)));
  await create(gateway, newAnimal('ws-2'));
  await rename(gateway, other, 'Ada Lovelace');
  await rename(gateway, probe, 'Last');
  await Promise.all([byIds, bySource].map(({ until }) => until(({ subject }) => subject?.name === 'Last')));
  assert.deepEqual(new Set(byIds.changes.map(({ id }) => id)), new Set([probe]));
  assert.deepEqual(new Set(bySource.changes.map(({ id }) => id)), new Set([other, probe]));
});

test('queries and mutations run over the same socket', { timeout }, async (t) => {
  const sockets = [];
  const client = connect(t, gateway, { lazy: false, on: { opened: (socket) => sockets.push(socket) } });
  const found = await run(client, 'query($by: SubjectBy!) { subject(by: $by) { id name } }', {
    by: { brainStemName: ANIMAL.name },
  });
  assert.deepEqual(found, { data: { subject: ANIMAL } });
  const mutation = `mutation($input: SubjectCreateInput!) {
    subjectCreate(input: $input) { subject { name } userErrors { code field } }
  }`;
  const created = await run(client, mutation, { input: newAnimal('ws-3') });
  assert.deepEqual(created.data.subjectCreate, { subject: { name: 'ws-3' }, userErrors: [] });
  const again = await run(client, mutation, { input: newAnimal('ws-3') });
  assert.deepEqual(again.data.subjectCreate.userErrors, [{ code: 'NOT_UNIQUE', field: ['name'] }]);
  assert.equal(sockets.length, 1);
});

test('an operation that is wrong ends with an error, and the socket stays', { timeout }, async (t) => {
  const client = connect(t, gateway, { lazy: false });
  const refused = async (query) => {
    try {
      await run(client, query);
    } catch (errors) {
      return errors.map(({ message, extensions }) => ({ message, code: extensions.code }));
    }
    throw new Error(`not refused: ${query}`);
  };
  const [unknown] = await refused('{ subject(by: {id: "x"}) { shoeSize } }');
  assert.equal(unknown.code, 'GRAPHQL_VALIDATION_FAILED');
  assert.match(unknown.message, /shoeSize/);
  assert.equal((await refused('{ subject('))[0].code, 'GRAPHQL_PARSE_FAILED');
  assert.equal((await refused('subscription { subjectChanged { shoeSize } }'))[0].code, 'GRAPHQL_VALIDATION_FAILED');
  assert.deepEqual(await run(client, '{ __typename }'), { data: { __typename: 'Query' } });
});

test('a client goes on by itself after the connection is lost', { timeout }, async (t) => {
  const client = connect(t, gateway, { retryAttempts: 5, retryWait: () => Promise.resolve(), shouldRetry: () => true });
  const probe = await create(gateway, newPerson('Probe'));
  const listener = listen(client.iterate({ query: CHANGES, variables: { ids: [probe] } }));
  await hears(gateway, listener, probe);
  const reconnected = new Promise((resolve) => client.on('connected', resolve));
  client.terminate();
  await reconnected;
  listener.changes.length = 0;
  await hears(gateway, listener, probe);
});

test('a client that keeps the connection alive is answered', { timeout }, async (t) => {
  const client = connect(t, gateway, { keepAlive: 10, lazy: false });
  const [isOurs] = await new Promise((resolve) => client.on('pong', (...event) => resolve(event)));
  assert.equal(isOurs, true);
});

test('one operation too many is refused, and the others go on', { timeout }, async (t) => {
  const small = await startGateway({ env: { LIMITS_SUBSCRIPTIONS: '1' } });
  t.after(() => small.stop());
  const client = connect(t, small);
  const probe = await create(small, newPerson('Probe'));
  const listener = listen(client.iterate({ query: CHANGES }));
  await hears(small, listener, probe);
  await assert.rejects(run(client, '{ __typename }'), ([{ extensions }]) => {
    assert.equal(extensions.code, 'OVERLOADED');
    return true;
  });
  listener.changes.length = 0;
  await hears(small, listener, probe);
});

// --- The protocol by hand

// A bare socket: `receive` gives the next message, `closed` the code with which the gateway closes.
async function dial(t, { server = gateway, protocols = ['graphql-transport-ws'], ...options } = {}) {
  const socket = new WebSocket(server.websocket, protocols, options);
  t.after(() => socket.terminate());
  const closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  const incoming = on(socket, 'message', { close: ['close'] });
  await once(socket, 'open');
  return {
    socket,
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    receive: async () => JSON.parse((await incoming.next()).value[0]),
  };
}

async function initiate(t, options) {
  const connection = await dial(t, options);
  connection.send({ type: 'connection_init' });
  assert.equal((await connection.receive()).type, 'connection_ack');
  return connection;
}

const OPERATION = { query: 'subscription { subjectChanged { id } }' };

async function assertCloses({ closed }, expected) {
  const { code, reason } = await closed;
  assert.equal(code, expected);
  assert.notEqual(reason, '');
}

test('the messages of the protocol', { timeout }, async (t) => {
  const { socket, send, receive } = await initiate(t, { origin: 'http://localhost:3000' });
  assert.equal(socket.protocol, 'graphql-transport-ws');
  send({ type: 'ping', payload: { n: 1 } });
  assert.equal((await receive()).type, 'pong');
  send({ type: 'pong' });
  send({ id: 'a', type: 'subscribe', payload: { query: '{ __typename }' } });
  assert.deepEqual(await receive(), { id: 'a', type: 'next', payload: { data: { __typename: 'Query' } } });
  assert.deepEqual(await receive(), { id: 'a', type: 'complete' });
  send({ id: 'b', type: 'subscribe', payload: { query: '{ nothing }' } });
  const { id, type, payload } = await receive();
  assert.deepEqual(
    { id, type, code: payload[0].extensions.code },
    { id: 'b', type: 'error', code: 'GRAPHQL_VALIDATION_FAILED' },
  );
  // An id that is done with is free; one that is unknown may be completed.
  send({ id: 'nobody', type: 'complete' });
  send({ id: 'b', type: 'subscribe', payload: OPERATION });
  send({ id: 'b', type: 'complete' });
  send({ id: 'b', type: 'subscribe', payload: { query: '{ __typename }' } });
  assert.deepEqual(await receive(), { id: 'b', type: 'next', payload: { data: { __typename: 'Query' } } });
});

for (const [what, message] of [
  ['no JSON', 'subscribe'],
  ['an unknown type', { type: 'start', id: '1', payload: OPERATION }],
  ['no id', { type: 'subscribe', payload: OPERATION }],
  ['no payload', { type: 'subscribe', id: '1' }],
]) {
  test(`4400: a message with ${what}`, { timeout }, async (t) => {
    const connection = await initiate(t);
    connection.send(message);
    await assertCloses(connection, 4400);
  });
}

test('4401: an operation before the connection is acknowledged', { timeout }, async (t) => {
  const connection = await dial(t);
  connection.send({ type: 'subscribe', id: '1', payload: OPERATION });
  await assertCloses(connection, 4401);
});

test('4403: a page of a foreign origin', { timeout }, async (t) => {
  await assertCloses(await dial(t, { origin: 'https://evil.example' }), 4403);
});

test('4406: a client without the sub-protocol', { timeout }, async (t) => {
  await assertCloses(await dial(t, { protocols: [] }), 4406);
});

test('4408: a client that never initiates', { timeout }, async (t) => {
  const impatient = await startGateway({ env: { LIMITS_INIT_MS: '100' } });
  t.after(() => impatient.stop());
  await assertCloses(await dial(t, { server: impatient }), 4408);
});

test('4409: an id that is in use', { timeout }, async (t) => {
  const connection = await initiate(t);
  connection.send({ type: 'subscribe', id: '1', payload: OPERATION });
  connection.send({ type: 'subscribe', id: '1', payload: OPERATION });
  await assertCloses(connection, 4409);
});

test('4429: a second initiation', { timeout }, async (t) => {
  const connection = await initiate(t);
  connection.send({ type: 'connection_init' });
  await assertCloses(connection, 4429);
});

test('4499: a client that does not answer whether it is still there', { timeout }, async (t) => {
  const anxious = await startGateway({ env: { GATEWAY_PING_MS: '400' } });
  t.after(() => anxious.stop());
  const [present, absent] = [
    await initiate(t, { server: anxious }),
    await initiate(t, { server: anxious, autoPong: false }),
  ];
  await assertCloses(absent, 4499);
  // The other one was asked as often, and is still served.
  present.send({ id: 'a', type: 'subscribe', payload: { query: '{ __typename }' } });
  assert.equal((await present.receive()).type, 'next');
});

// --- With Haut.AI down

test('with Haut.AI down changes of animals arrive', { timeout }, async (t) => {
  const client = connect(t, halfDown);
  const probe = await create(halfDown, newAnimal('ws-probe'));
  const listener = listen(client.iterate({ query: CHANGES }));
  await hears(halfDown, listener, probe, describe);
  await followAnimal(halfDown, listener, 'ws-4');
});

test('with Haut.AI down a query over the socket has the data and the error', { timeout }, async (t) => {
  const client = connect(t, halfDown);
  const { data, errors } = await run(client, '{ subjects(first: 3) { nodes { source name } } }');
  assert.equal(data.subjects.nodes.length, 3);
  assert.ok(data.subjects.nodes.every(({ source }) => source === 'BRAINSTEM'));
  assert.deepEqual(failures(errors), hautAiIsDown(['subjects']));
});
