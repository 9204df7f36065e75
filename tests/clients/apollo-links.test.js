// Apollo Client's links: persisted queries, batching, and subscriptions over WebSocket.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ApolloClient, gql } from '@apollo/client';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { createPersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { connect, DETAIL, next } from './apollo.js';
import { startGateway } from './gateway.js';
import { ANIMAL, create, newPerson, PERSON, rename } from './subjects.js';

const timeout = 60_000;

let gateway;

before(async () => {
  gateway = await startGateway();
});
after(() => gateway?.stop());

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

for (const useGETForHashedQueries of [false, true]) {
  const method = useGETForHashedQueries ? 'GET' : 'POST';
  test(`a persisted query is sent by its hash alone the second time (${method})`, { timeout }, async (t) => {
    // A document of its own for each method, since the gateway remembers.
    const query = gql`
      query Persisted${method}($id: ID!) {
        node(id: $id) {
          id
          ... on Subject {
            name
          }
        }
      }
    `;
    const { client, traffic } = await connect(t, gateway, {
      links: [createPersistedQueryLink({ sha256, useGETForHashedQueries })],
    });
    const read = (id) => client.query({ query, variables: { id } });
    assert.equal((await read(ANIMAL.id)).data.node.name, ANIMAL.name);
    assert.equal((await read(PERSON.id)).data.node.name, PERSON.name);

    const [asked, taught, remembered, ...more] = traffic;
    assert.deepEqual(more, []);
    assert.deepEqual(
      asked.answer.errors.map(({ extensions }) => extensions.code),
      ['PERSISTED_QUERY_NOT_FOUND'],
    );
    assert.equal(asked.method, method);
    // Apollo teaches by POST, whatever it asks by.
    assert.equal(taught.method, 'POST');
    assert.match(taught.body.query, /query Persisted/);
    assert.equal(remembered.method, method);
    assert.equal(remembered.status, 200);
    const sent = method === 'GET' ? Object.fromEntries(remembered.url.searchParams) : remembered.body;
    assert.ok(!('query' in sent));
    const extensions = method === 'GET' ? JSON.parse(sent.extensions) : sent.extensions;
    assert.equal(extensions.persistedQuery.sha256Hash, taught.body.extensions.persistedQuery.sha256Hash);
    assert.equal(remembered.answer.data.node.name, PERSON.name);
  });
}

test('queries of one moment share a request', { timeout }, async (t) => {
  const batching = await startGateway({ env: { LIMITS_BATCH: '10' } });
  t.after(() => batching.stop());
  const { client, traffic } = await connect(t, batching, { terminate: (options) => new BatchHttpLink(options) });
  const ids = [ANIMAL.id, PERSON.id];
  const results = await Promise.all(ids.map((id) => client.query({ query: DETAIL, variables: { id } })));
  assert.deepEqual(
    results.map(({ data }) => data.node.name),
    [ANIMAL.name, PERSON.name],
  );
  assert.equal(traffic.length, 1);
  assert.equal(traffic[0].body.length, 2);
});

test('a subscription tells of changes, and the cache shows them', { timeout }, async (t) => {
  const { client } = await connect(t, gateway);
  const socket = createClient({ url: gateway.websocket, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0 });
  t.after(() => socket.dispose());
  const live = new ApolloClient({ cache: client.cache, link: new GraphQLWsLink(socket) });
  t.after(() => live.stop());
  const id = await create(gateway, newPerson('Apollo Live'));
  const detail = client.watchQuery({ query: DETAIL, variables: { id } });
  await next(detail, ({ data }) => data?.node?.name === 'Apollo Live');

  const changes = live.subscribe({
    query: gql`
      subscription Changes($ids: [ID!]) {
        subjectChanged(ids: $ids) {
          kind
          id
          at
          subject {
            id
            name
          }
        }
      }
    `,
    variables: { ids: [id] },
  });
  let heard;
  const changed = next(changes, ({ data }) => data.subjectChanged.kind === 'UPDATED').then(
    (result) => (heard = result),
  );
  // Behind the client's back, so that only the subscription can tell; again until the subscription is there.
  for (let n = 1; !heard; n++) {
    await rename(gateway, id, `Apollo Renamed ${n}`);
  }
  const { data } = await changed;
  assert.equal(data.subjectChanged.id, id);
  assert.match(data.subjectChanged.subject.name, /^Apollo Renamed \d+$/);
  await next(detail, (shown) => shown.data?.node?.name.startsWith('Apollo Renamed'));
});
