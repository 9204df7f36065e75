// Apollo Client: its normalized cache, its pages and its error policies.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CombinedGraphQLErrors, gql, NetworkStatus } from '@apollo/client';
import { connect, DETAIL, next } from './apollo.js';
import { startGateway } from './gateway.js';
import { allIds, ANIMAL, create, failures, hautAiIsDown, newAnimal, PERSON, PROJECT, remove } from './subjects.js';

const timeout = 60_000;

let gateway;
let halfDown;

before(async () => {
  [gateway, halfDown] = await Promise.all([startGateway(), startGateway({ hautAi: 'down' })]);
});
after(() => Promise.all([gateway?.stop(), halfDown?.stop()]));

const PAGE = gql`
  query Page($first: Int!, $after: String, $filter: SubjectFilter, $orderBy: SubjectOrder) {
    subjects(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
      totalCount
      edges {
        cursor
        node {
          id
          source
          name
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

// Loads more until nothing more comes; the list as it is shown then.
async function loadAll(client, variables, errorPolicy = 'none') {
  const list = client.watchQuery({ query: PAGE, variables: { first: 100, ...variables }, errorPolicy });
  // Shown all the time, as on a page.
  const shown = list.subscribe(() => {});
  try {
    let result = await next(list, isLoaded);
    for (let moved = true; result.data.subjects.pageInfo.hasNextPage && moved;) {
      const { endCursor } = result.data.subjects.pageInfo;
      // Without a policy of its own a later page's error is thrown, whatever the first page's policy.
      const { data } = await list.fetchMore({ variables: { after: endCursor }, errorPolicy });
      const { pageInfo } = data.subjects;
      result = await next(
        list,
        (shown) => isLoaded(shown) && shown.data.subjects.pageInfo.endCursor === pageInfo.endCursor,
      );
      moved = pageInfo.endCursor !== endCursor;
    }
    return result;
  } finally {
    shown.unsubscribe();
  }
}

function isLoaded({ networkStatus }) {
  return networkStatus === NetworkStatus.ready || networkStatus === NetworkStatus.error;
}

test('pages grow into one list of every subject', { timeout }, async (t) => {
  const { client, traffic } = await connect(t, gateway);
  const all = await allIds(gateway);
  const { data, dataState } = await loadAll(client, {});
  assert.equal(dataState, 'complete');
  assert.deepEqual(
    data.subjects.edges.map(({ node }) => node.id),
    all,
  );
  assert.equal(data.subjects.totalCount, all.length);
  assert.equal(new Set(all).size, all.length);
  assert.equal(data.subjects.pageInfo.hasNextPage, false);
  assert.equal(traffic.length, Math.ceil(all.length / 100));
});

test('each filter and order has a list of its own', { timeout }, async (t) => {
  const { client } = await connect(t, gateway);
  const lists = [
    { filter: { sources: ['HAUT_AI'] } },
    { filter: { sources: ['BRAINSTEM'] } },
    { filter: { name: { contains: 'smith' } }, orderBy: { field: 'NAME', direction: 'DESC' } },
  ];
  const loaded = await Promise.all(lists.map((variables) => loadAll(client, { ...variables, first: 80 })));
  for (const [at, variables] of lists.entries()) {
    const ids = loaded[at].data.subjects.edges.map(({ node }) => node.id);
    assert.deepEqual(ids, await allIds(gateway, variables));
    assert.ok(ids.length > 0);
  }
});

test('objects of any kind come by their ids, and null for what is not there', { timeout }, async (t) => {
  const { client } = await connect(t, gateway);
  const gone = await create(gateway, newAnimal('apollo-nodes'));
  await remove(gateway, gone);
  const { data } = await client.query({
    query: gql`
      query Nodes($ids: [ID!]!, $id: ID!) {
        nodes(ids: $ids) {
          id
          ...Named
          ... on Project {
            subjects(first: 1) {
              nodes {
                id
              }
            }
          }
        }
        node(id: $id) {
          ...Named
        }
      }
      fragment Named on Node {
        ... on Subject {
          name
        }
        ... on Project {
          name
        }
      }
    `,
    variables: { ids: [PERSON.id, gone, PROJECT.id, ANIMAL.id], id: ANIMAL.id },
  });
  const [person, nothing, project, animal] = data.nodes;
  assert.deepEqual(person, { __typename: 'Subject', id: PERSON.id, name: PERSON.name });
  assert.equal(nothing, null);
  assert.equal(project.__typename, 'Project');
  assert.equal(project.name, PROJECT.name);
  assert.equal(project.subjects.nodes.length, 1);
  assert.equal(animal.name, ANIMAL.name);
  assert.equal(data.node.name, ANIMAL.name);
});

test('an input of which exactly one field is given', { timeout }, async (t) => {
  const { client } = await connect(t, gateway);
  const query = gql`
    query One($by: SubjectBy!) {
      subject(by: $by) {
        id
        name
        hautAi {
          rawSex
        }
        brainStem {
          rawSex
        }
      }
    }
  `;
  const read = async (by) => (await client.query({ query, variables: { by } })).data.subject;
  const person = await read({ hautAi: { subjectId: PERSON.sourceId } });
  assert.equal(person.id, PERSON.id);
  assert.equal(person.hautAi.rawSex, 'female');
  assert.equal(person.brainStem, null);
  assert.deepEqual(await read({ id: PERSON.id }), person);
  assert.equal((await read({ brainStemName: ANIMAL.name })).id, ANIMAL.id);
  assert.equal(await read({ brainStemName: 'nobody has this name' }), null);
  await assert.rejects(read({ id: ANIMAL.id, brainStemName: ANIMAL.name }), CombinedGraphQLErrors);
});

const CREATE = gql`
  mutation Create($input: SubjectCreateInput!) {
    subjectCreate(input: $input) {
      subject {
        id
        name
        tags
      }
      userErrors {
        code
        message
        field
      }
    }
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
        message
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
        field
      }
    }
  }
`;

test('what a mutation returns is shown at once wherever the subject is', { timeout }, async (t) => {
  const { client, traffic } = await connect(t, gateway);
  const created = await client.mutate({ mutation: CREATE, variables: { input: newAnimal('apollo-1') } });
  assert.deepEqual(created.data.subjectCreate.userErrors, []);
  const { id } = created.data.subjectCreate.subject;

  const detail = client.watchQuery({ query: DETAIL, variables: { id } });
  await next(detail, ({ data }) => data?.node?.name === 'apollo-1');
  const list = client.watchQuery({
    query: PAGE,
    variables: { first: 10, filter: { name: { startsWith: 'apollo-1' } } },
  });
  await next(list, ({ data }) => data?.subjects.edges.length === 1);

  const before = traffic.length;
  const shownInDetail = next(detail, ({ data }) => data?.node?.name === 'apollo-1b');
  const shownInList = next(list, ({ data }) => data?.subjects.edges[0].node.name === 'apollo-1b');
  const variables = { id, input: { brainStem: { name: 'apollo-1b', tags: ['seen'] } } };
  await client.mutate({ mutation: UPDATE, variables });
  assert.deepEqual((await shownInDetail).data.node.tags, ['seen']);
  await shownInList;
  assert.equal(traffic.length, before + 1);

  const goneFromList = next(list, ({ data }) => data?.subjects.edges.length === 0);
  await client.mutate({
    mutation: DELETE,
    variables: { id },
    update(store, { data }) {
      store.evict({ id: store.identify({ __typename: 'Subject', id: data.subjectDelete.deletedId }) });
    },
  });
  await goneFromList;
  const read = await client.query({ query: DETAIL, variables: { id }, fetchPolicy: 'network-only' });
  assert.equal(read.data.node, null);
});

test('a rejected input comes as data with the path of its field', { timeout }, async (t) => {
  const { client } = await connect(t, gateway);
  const input = newAnimal('apollo-2');
  input.brainStem.projectIds = [];
  const { data, error } = await client.mutate({ mutation: CREATE, variables: { input } });
  assert.equal(error, undefined);
  assert.equal(data.subjectCreate.subject, null);
  assert.deepEqual(
    data.subjectCreate.userErrors.map(({ code, field }) => ({ code, field })),
    [{ code: 'REQUIRED', field: ['projectIds'] }],
  );
});

test('with Haut.AI down `all` gives the data and the error', { timeout }, async (t) => {
  const { client } = await connect(t, halfDown);
  const { data, error } = await client.query({ query: PAGE, variables: { first: 5 }, errorPolicy: 'all' });
  assert.equal(data.subjects.edges.length, 5);
  assert.ok(data.subjects.edges.every(({ node }) => node.source === 'BRAINSTEM' && node.id));
  assert.ok(CombinedGraphQLErrors.is(error));
  assert.deepEqual(failures(error.errors), hautAiIsDown(['subjects'], ['subjects', 'totalCount']));
});

test('with Haut.AI down `ignore` gives the data alone, and `none` the error alone', { timeout }, async (t) => {
  const { client } = await connect(t, halfDown);
  const query = { query: PAGE, variables: { first: 5 } };
  await assert.rejects(client.query({ ...query, errorPolicy: 'none' }), (error) => {
    assert.ok(CombinedGraphQLErrors.is(error));
    assert.deepEqual(failures(error.errors), hautAiIsDown(['subjects'], ['subjects', 'totalCount']));
    return true;
  });
  const { data, error } = await client.query({ ...query, errorPolicy: 'ignore' });
  assert.equal(error, undefined);
  assert.equal(data.subjects.edges.length, 5);
  assert.ok(data.subjects.edges.every(({ node }) => node.source === 'BRAINSTEM'));
});

test('with Haut.AI down the pages grow into the list of all animals', { timeout }, async (t) => {
  const { client } = await connect(t, halfDown);
  const { data } = await loadAll(client, {}, 'all');
  assert.deepEqual(
    data.subjects.edges.map(({ node }) => node.id),
    await allIds(halfDown, { filter: { sources: ['BRAINSTEM'] } }),
  );
  // The people are still to come.
  assert.equal(data.subjects.pageInfo.hasNextPage, true);
});

test('with Haut.AI down its fields are null, and what stands beside them is not', { timeout }, async (t) => {
  const { client } = await connect(t, halfDown);
  const { data, error } = await client.query({
    query: gql`
      query Beside($person: ID!, $animal: ID!) {
        person: node(id: $person) {
          id
        }
        animal: node(id: $animal) {
          id
          ... on Subject {
            name
          }
        }
      }
    `,
    variables: { person: PERSON.id, animal: ANIMAL.id },
    errorPolicy: 'all',
  });
  assert.equal(data.person, null);
  assert.equal(data.animal.name, ANIMAL.name);
  assert.deepEqual(failures(error.errors), hautAiIsDown(['person']));
});
