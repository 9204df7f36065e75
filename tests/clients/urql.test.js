// urql: its document cache, its normalized cache (graphcache), pages, and persisted queries.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cacheExchange as documentCache, Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { persistedExchange } from '@urql/exchange-persisted';
import { getIntrospectionQuery } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { CHANGES } from './changes.js';
import { ask, startGateway } from './gateway.js';
import { allIds, ANIMAL, create, failures, hautAiIsDown, newAnimal, newPerson, PERSON, rename } from './subjects.js';
import { watchedFetch } from './traffic.js';

const timeout = 60_000;

let gateway;
let halfDown;
let schema;

before(async () => {
  [gateway, halfDown] = await Promise.all([startGateway(), startGateway({ hautAi: 'down' })]);
  schema = (await ask(gateway, getIntrospectionQuery())).data;
});
after(() => Promise.all([gateway?.stop(), halfDown?.stop()]));

// Types without an `id`: they are kept within what they belong to.
const EMBEDDED = [
  'BrainStemSubject',
  'Company',
  'HautAiSubject',
  'SourceStatus',
  'SubjectConnectionSource',
  'SubjectLogEntry',
];

function normalizedCache() {
  return cacheExchange({
    schema,
    keys: Object.fromEntries(EMBEDDED.map((type) => [type, () => null])),
    resolvers: { Query: { subjects: relayPagination() } },
    updates: {
      Mutation: {
        subjectDelete({ subjectDelete }, _args, cache) {
          cache.invalidate({ __typename: 'Subject', id: subjectDelete.deletedId });
        },
      },
    },
  });
}

// A client, and what it sends. In the end its cache must have warned of nothing, such as of a type without a key.
function connect(t, server, exchanges) {
  const warn = t.mock.method(console, 'warn');
  const { fetch, traffic } = watchedFetch();
  const client = new Client({ url: server.graphql, exchanges, fetch, preferGetMethod: false });
  t.after(() =>
    assert.deepEqual(
      warn.mock.calls.map((call) => call.arguments),
      [],
    ),
  );
  return { client, traffic };
}

const PAGE = gql`
  query Page($first: Int!, $after: String, $filter: SubjectFilter, $orderBy: SubjectOrder) {
    subjects(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
      edges {
        cursor
        node {
          id
          source
          name
          hautAi {
            rawSex
          }
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`;

// Loads more until nothing more comes; the last result, which has the whole list.
async function loadAll(client, variables) {
  for (let after = null; ;) {
    const result = await client.query(PAGE, { first: 100, after, ...variables });
    const { hasNextPage, endCursor } = result.data.subjects.pageInfo;
    if (!hasNextPage || endCursor === after) return result;
    after = endCursor;
  }
}

test('pages grow into one list of every subject', { timeout }, async (t) => {
  const { client, traffic } = connect(t, gateway, [normalizedCache(), fetchExchange]);
  const all = await allIds(gateway);
  const { data, error } = await loadAll(client, {});
  assert.equal(error, undefined);
  assert.deepEqual(
    data.subjects.edges.map(({ node }) => node.id),
    all,
  );
  assert.equal(traffic.length, Math.ceil(all.length / 100));
});

test('each filter and order has a list of its own', { timeout }, async (t) => {
  const { client } = connect(t, gateway, [normalizedCache(), fetchExchange]);
  for (const variables of [
    { filter: { sources: ['HAUT_AI'] } },
    { filter: { name: { contains: 'smith' } }, orderBy: { field: 'NAME', direction: 'DESC' } },
  ]) {
    const { data } = await loadAll(client, variables);
    assert.deepEqual(
      data.subjects.edges.map(({ node }) => node.id),
      await allIds(gateway, variables),
    );
  }
});

const DETAIL = gql`
  query Detail($id: ID!) {
    node(id: $id) {
      id
      ...Named
    }
  }
  fragment Named on Subject {
    name
    tags
  }
`;

const UPDATE = gql`
  mutation Update($id: ID!, $input: SubjectUpdateInput!) {
    subjectUpdate(id: $id, input: $input) {
      subject {
        id
        name
        tags
      }
      userErrors {
        code
        field
      }
    }
  }
`;

const DELETE = gql`
  mutation Delete($id: ID!) {
    subjectDelete(id: $id) {
      deletedId
      userErrors {
        code
      }
    }
  }
`;

// The next result that passes, of a query that is shown.
function next(source, passes) {
  return new Promise((resolve) => {
    const { unsubscribe } = source.subscribe((result) => {
      if (!passes(result)) return;
      resolve(result);
      queueMicrotask(() => unsubscribe());
    });
  });
}

test('what a mutation returns is shown at once wherever the subject is', { timeout }, async (t) => {
  const { client, traffic } = connect(t, gateway, [normalizedCache(), fetchExchange]);
  const id = await create(gateway, newAnimal('urql-1'));
  const detail = client.query(DETAIL, { id });
  const list = client.query(PAGE, { first: 10, filter: { name: { startsWith: 'urql-1' } } });
  assert.equal((await detail).data.node.name, 'urql-1');
  assert.equal((await list).data.subjects.edges[0].node.name, 'urql-1');

  const before = traffic.length;
  const shown = Promise.all([
    next(detail, ({ data }) => data?.node?.name === 'urql-1b'),
    next(list, ({ data }) => data?.subjects.edges[0].node.name === 'urql-1b'),
  ]);
  const { data } = await client.mutation(UPDATE, { id, input: { brainStem: { name: 'urql-1b', tags: ['seen'] } } });
  assert.deepEqual(data.subjectUpdate.userErrors, []);
  const [{ data: detailed }] = await shown;
  assert.deepEqual(detailed.node.tags, ['seen']);
  assert.equal(traffic.length, before + 1);

  // An invalidated subject is read anew, and is not there any more.
  const gone = next(detail, (result) => result.data?.node === null && !result.stale);
  await client.mutation(DELETE, { id });
  await gone;
});

test('an input of which exactly one field is given', { timeout }, async (t) => {
  const { client } = connect(t, gateway, [documentCache, fetchExchange]);
  const query = gql`
    query One($by: SubjectBy!) {
      subject(by: $by) {
        id
      }
    }
  `;
  const read = (by) => client.query(query, { by }).toPromise();
  assert.equal((await read({ hautAi: { subjectId: PERSON.sourceId } })).data.subject.id, PERSON.id);
  assert.equal((await read({ brainStemName: ANIMAL.name })).data.subject.id, ANIMAL.id);
  assert.equal((await read({ brainStemName: 'nobody has this name' })).data.subject, null);
  const { data, error } = await read({ id: ANIMAL.id, brainStemName: ANIMAL.name });
  assert.equal(data, undefined);
  assert.equal(error.graphQLErrors.length, 1);
});

for (const preferGetForPersistedQueries of [false, 'force']) {
  const method = preferGetForPersistedQueries ? 'GET' : 'POST';
  test(`a persisted query is sent by its hash alone the second time (${method})`, { timeout }, async (t) => {
    const { client, traffic } = connect(t, gateway, [
      persistedExchange({ preferGetForPersistedQueries }),
      fetchExchange,
    ]);
    const query = gql`
      query Persisted${method}($id: ID!) {
        node(id: $id) {
          id
          ...Named
        }
      }
      fragment Named on Subject {
        name
      }
    `;
    const read = (id) => client.query(query, { id }).toPromise();
    assert.equal((await read(ANIMAL.id)).data.node.name, ANIMAL.name);
    assert.equal((await read(PERSON.id)).data.node.name, PERSON.name);

    const [asked, taught, remembered, ...more] = traffic;
    assert.deepEqual(more, []);
    assert.equal(asked.method, method);
    assert.equal(asked.answer.errors[0].extensions.code, 'PERSISTED_QUERY_NOT_FOUND');
    assert.equal(taught.answer.data.node.name, ANIMAL.name);
    assert.equal(remembered.method, method);
    const sent = method === 'GET' ? Object.fromEntries(remembered.url.searchParams) : remembered.body;
    assert.ok(!sent.query);
    assert.match(JSON.stringify(sent.extensions), /sha256Hash/);
    assert.equal(remembered.answer.data.node.name, PERSON.name);
  });
}

test('a subscription tells of changes, and the cache shows them', { timeout }, async (t) => {
  const socket = createClient({ url: gateway.websocket, webSocketImpl: WebSocket, retryAttempts: 0 });
  t.after(() => socket.dispose());
  const overSocket = subscriptionExchange({
    forwardSubscription: (operation) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...operation, query: operation.query ?? '' }, sink) }),
    }),
  });
  const { client } = connect(t, gateway, [normalizedCache(), fetchExchange, overSocket]);
  const id = await create(gateway, newPerson('Urql Live'));
  const detail = client.query(DETAIL, { id });
  assert.equal((await detail).data.node.name, 'Urql Live');

  const shown = next(detail, ({ data }) => data?.node?.name.startsWith('Urql Renamed'));
  let heard;
  const changed = next(client.subscription(CHANGES, { ids: [id] }), ({ data, error }) => data ?? error).then(
    (result) => (heard = result),
  );
  for (let n = 1; !heard; n++) await rename(gateway, id, `Urql Renamed ${n}`);
  const { data, error } = await changed;
  assert.equal(error, undefined);
  assert.equal(data.subjectChanged.kind, 'UPDATED');
  assert.equal(data.subjectChanged.subject.id, id);
  await shown;
});

test('with Haut.AI down the data and the error come, and the pages are all animals', { timeout }, async (t) => {
  const { client } = connect(t, halfDown, [normalizedCache(), fetchExchange]);
  const { data, error } = await loadAll(client, {});
  assert.deepEqual(
    data.subjects.edges.map(({ node }) => node.id),
    await allIds(halfDown, { filter: { sources: ['BRAINSTEM'] } }),
  );
  assert.equal(data.subjects.pageInfo.hasNextPage, true);
  assert.deepEqual(failures(error.graphQLErrors), hautAiIsDown(['subjects']));
});

test('with Haut.AI down its fields are null, and what stands beside them is not', { timeout }, async (t) => {
  const { client } = connect(t, halfDown, [documentCache, fetchExchange]);
  const query = gql`
    query Beside($person: ID!, $animal: ID!) {
      person: node(id: $person) {
        id
      }
      animal: subject(by: { id: $animal }) {
        id
        name
      }
    }
  `;
  const { data, error } = await client.query(query, { person: PERSON.id, animal: ANIMAL.id }).toPromise();
  assert.equal(data.person, null);
  assert.equal(data.animal.name, ANIMAL.name);
  assert.deepEqual(failures(error.graphQLErrors), hautAiIsDown(['person']));
});
