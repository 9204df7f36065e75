// What docs/frontend.md shows, as it stands there: every block with a name is run.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gql } from '@apollo/client';
import WebSocket from 'ws';
import { load } from './documentation.js';
import { startGateway } from './gateway.js';
import { ANIMAL, create, failures, hautAiIsDown, newPerson, rename } from './subjects.js';

const timeout = 60_000;

let gateway;
let halfDown;

before(async () => {
  // As in browsers.
  globalThis.WebSocket = WebSocket;
  [gateway, halfDown] = await Promise.all([startGateway(), startGateway({ hautAi: 'down' })]);
});
after(() => Promise.all([gateway?.stop(), halfDown?.stop()]));

const PAGE = gql`
  query Page($first: Int) {
    subjects(first: $first) {
      edges {
        node {
          id
          source
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
      sources {
        source
        status
      }
    }
  }
`;

const CHANGES = gql`
  subscription Changes($ids: [ID!]) {
    subjectChanged(ids: $ids) {
      kind
      id
      subject {
        id
        name
      }
    }
  }
`;

// Renames a person until a subscription has told of it.
async function renameUntil(server, id, heard) {
  let told;
  const over = heard.then((change) => (told = change));
  for (let n = 1; !told; n++) await rename(server, id, `Renamed ${n}`);
  return over;
}

function firstOf(subscribe) {
  return new Promise((resolve) => subscribe(resolve));
}

function assertOfBoth({ edges, sources }) {
  assert.equal(edges.length, 20);
  assert.deepEqual(
    sources.map(({ source, status }) => `${source} ${status}`),
    ['HAUT_AI AVAILABLE', 'BRAINSTEM UNKNOWN'],
  );
}

function assertOfAnimals({ edges, sources }) {
  assert.ok(edges.length > 0 && edges.every(({ node }) => node.source === 'BRAINSTEM'));
  assert.deepEqual(
    sources.map(({ source, status }) => `${source} ${status}`),
    ['HAUT_AI FAILING', 'BRAINSTEM AVAILABLE'],
  );
}

test("Apollo Client's setup", { timeout }, async (t) => {
  const { client } = await load(t, 'apollo.js', gateway);
  t.after(() => client.stop());
  const { data, error } = await client.query({ query: PAGE });
  assert.equal(error, undefined);
  assertOfBoth(data.subjects);
  const id = await create(gateway, newPerson('Documented'));
  const changes = client.subscribe({ query: CHANGES, variables: { ids: [id] } });
  let subscription;
  const heard = firstOf(
    (resolve) => (subscription = changes.subscribe((result) => resolve(result.data.subjectChanged))),
  );
  const { kind, subject } = await renameUntil(gateway, id, heard);
  subscription.unsubscribe();
  assert.deepEqual({ kind, id: subject.id }, { kind: 'UPDATED', id });
});

test("Apollo Client's setup with Haut.AI down", { timeout }, async (t) => {
  const { client } = await load(t, 'apollo.js', halfDown);
  t.after(() => client.stop());
  const { data, error } = await client.query({ query: PAGE });
  assertOfAnimals(data.subjects);
  assert.deepEqual(failures(error.errors), hautAiIsDown(['subjects']));
  // From the cache it comes without the error, as the page says.
  const again = await client.query({ query: PAGE });
  assert.equal(again.error, undefined);
  assertOfAnimals(again.data.subjects);
});

test('the types that fragments need', { timeout }, async (t) => {
  const { possibleTypes } = await load(t, 'possible-types.js', gateway);
  assert.ok(possibleTypes.Node.includes('Subject') && possibleTypes.Node.includes('SubjectLog'));
});

test("urql's setup", { timeout }, async (t) => {
  const { client } = await load(t, 'urql.js', gateway);
  const { data, error } = await client.query(PAGE, { first: 20 });
  assert.equal(error, undefined);
  assertOfBoth(data.subjects);
  const id = await create(gateway, newPerson('Documented'));
  const changes = client.subscription(CHANGES, { ids: [id] });
  let subscription;
  const heard = firstOf(
    (resolve) => (subscription = changes.subscribe((result) => resolve(result.data.subjectChanged))),
  );
  const { kind, subject } = await renameUntil(gateway, id, heard);
  subscription.unsubscribe();
  assert.deepEqual({ kind, id: subject.id }, { kind: 'UPDATED', id });
});

test("urql's setup with Haut.AI down", { timeout }, async (t) => {
  const { client } = await load(t, 'urql.js', halfDown);
  const { data, error } = await client.query(PAGE, { first: 20 });
  assertOfAnimals(data.subjects);
  assert.deepEqual(failures(error.graphQLErrors), hautAiIsDown(['subjects']));
});

test("Relay's network layer", { timeout }, async (t) => {
  const { fetchQuery } = await load(t, 'relay-network.js', gateway);
  const { data } = await fetchQuery(
    { text: 'query($id: ID!) { node(id: $id) { ... on Subject { id name } } }' },
    { id: ANIMAL.id },
  );
  assert.deepEqual(data.node, ANIMAL);
});

for (const name of ['ws.js', 'sse.js']) {
  test(`following changes over ${name}`, { timeout }, async (t) => {
    const { client } = await load(t, name, gateway);
    t.after(() => client.dispose());
    const { follow } = await load(t, 'changes.js', gateway);
    const id = await create(gateway, newPerson('Documented'));
    const heard = new Promise((resolve, reject) => follow(client, [id], resolve).catch(reject));
    const { kind, subject } = await renameUntil(gateway, id, heard);
    assert.deepEqual({ kind, id: subject.id }, { kind: 'UPDATED', id });
  });
}
