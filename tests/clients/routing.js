// What holds behind every router: the same tests for each.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readCookbook } from './cookbook.js';
import { ask, startGateway } from './gateway.js';
import { startSubgraphs, subjectsService } from './subgraphs.js';

export const LIMIT = { timeout: 60_000 };

/** The router over the gateway and the other subgraphs, with the gateway's subjects at hand. */
export async function startSupergraph(startRouter, { hautAi = 'up', env } = {}) {
  const [gateway, subgraphs] = await Promise.all([startGateway({ hautAi, env }), startSubgraphs()]);
  const stops = [() => gateway.stop(), () => subgraphs.stop()];
  const stop = () => Promise.all(stops.map((each) => each()));
  try {
    const router = await startRouter([await subjectsService(gateway), ...subgraphs.services]);
    stops.unshift(() => router.stop());
    return { gateway, subgraphs, router, run: router.run, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

// Subjects of one source, as the gateway itself answers.
export async function subjectsOf(gateway, source) {
  const { data } = await ask(
    gateway,
    `query ($source: SubjectSource!) {
      subjects(first: 100, filter: { sources: [$source] }) { nodes { id name projectIds projects { name } } }
    }`,
    { source },
  );
  return data.subjects.nodes;
}

// The id of a subject that is like `id`, but that no source has.
function absent(id) {
  const bytes = Buffer.from(id, 'base64url');
  bytes[bytes.length - 1] ^= 1;
  return bytes.toString('base64url');
}

// What a client reads of errors, in an order that does not depend on the router.
function told(errors = []) {
  return errors
    .map(({ message, path, extensions: { code, source, retryable } }) => ({ message, path, code, source, retryable }))
    .sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
}

/**
 * Tests a router. `startRouter(services)` gives `run({ query, variables, headers })` and `stop()`.
 *
 * `refusesTwoKeys`: what it says of a @oneOf input with two keys. `absentErrors`: the paths of errors that it adds by
 * itself where an entity is not there, given the entity's path. `errorPath`: where it says that an entity failed, given
 * the entity's path and the first field that was selected of it.
 */
export function testRouter(startRouter, { refusesTwoKeys, absentErrors, errorPath }) {
  describe('with both sources', () => {
    let gateway, subgraphs, run, stop, animals, people;

    before(async () => {
      ({ gateway, subgraphs, run, stop } = await startSupergraph(startRouter));
      [people, animals] = [await subjectsOf(gateway, 'HAUT_AI'), await subjectsOf(gateway, 'BRAINSTEM')];
    }, LIMIT);
    after(() => stop());

    const consentOf = ({ id }) => [{ title: `Consent of ${id}` }];

    test('our list gets what another subgraph knows of each subject', LIMIT, async () => {
      const { data, errors } = await run({
        query: `query List($first: Int!, $filter: SubjectFilter) {
          page: subjects(first: $first, filter: $filter) {
            __typename
            edges { cursor item: node { ...Card } }
            pageInfo { hasNextPage endCursor }
          }
        }
        fragment Card on Subject { __typename subjectId: id name ... on Node { id } consentForms { title } }`,
        variables: { first: 3, filter: { sources: ['BRAINSTEM'] } },
      });
      assert.equal(errors, undefined);
      assert.equal(data.page.__typename, 'SubjectConnection');
      assert.deepEqual(
        data.page.edges.map(({ item }) => item),
        animals.slice(0, 3).map((animal) => ({
          __typename: 'Subject',
          subjectId: animal.id,
          name: animal.name,
          id: animal.id,
          consentForms: consentOf(animal),
        })),
      );
      assert.deepEqual(data.page.pageInfo, { hasNextPage: true, endCursor: data.page.edges[2].cursor });
    });

    test("another subgraph's visits get our subjects and projects", LIMIT, async () => {
      const visited = [animals[1], people[0], animals[0]];
      subgraphs.setVisits(visited.map(({ id, projectIds }) => ({ subjectId: id, projectId: projectIds[0] })));
      const { data, errors } = await run({
        query: `{
          visits {
            id
            subject { __typename greeting name projects { __typename name } consentForms { title subject { name } } }
            project { __typename name }
          }
        }`,
      });
      assert.equal(errors, undefined);
      const named = (names) => names && names.map(({ name }) => ({ __typename: 'Project', name }));
      assert.deepEqual(
        data.visits,
        visited.map((subject, index) => ({
          id: `visit-${index}`,
          subject: {
            __typename: 'Subject',
            greeting: `Dear ${subject.name}`,
            name: subject.name,
            projects: named(subject.projects),
            consentForms: [{ ...consentOf(subject)[0], subject: { name: subject.name } }],
          },
          project: named(subject.projects)?.[0] ?? null,
        })),
      );
    });

    test('what is not there or malformed is null and leaves the others standing', LIMIT, async () => {
      const ids = [animals[0].id, absent(animals[1].id), 'nonsense', people[0].id];
      subgraphs.setVisits(ids.map((subjectId) => ({ subjectId })));
      const { data, errors } = await run({ query: '{ visits { who: subject { name sex } } }' });
      assert.deepEqual(
        data.visits.map(({ who }) => who?.name),
        [animals[0].name, undefined, undefined, people[0].name],
      );
      const malformed = errors.filter(({ extensions }) => extensions?.code === 'BAD_USER_INPUT');
      assert.match(malformed[0].message, /not an id of this gateway/);
      // Where the router itself adds nothing, an id that is not there is no error.
      assert.deepEqual(
        errors.filter((error) => !malformed.includes(error)).map(({ path }) => path),
        absentErrors(['visits', 1, 'who']),
      );
      assert.ok(malformed.every(({ path }) => path.slice(0, 3).join() === 'visits,2,who'), JSON.stringify(errors));
      assert.deepEqual(malformed[0].path, errorPath(['visits', 2, 'who'], 'name'));
    });

    test('200 subjects are fetched at once', LIMIT, async () => {
      const visited = [...people, ...animals];
      assert.equal(visited.length, 200);
      subgraphs.setVisits(visited.map(({ id }) => ({ subjectId: id })));
      const { data, errors } = await run({ query: '{ visits { subject { name projects { name } } } }' });
      assert.equal(errors, undefined);
      assert.deepEqual(
        data.visits.map(({ subject }) => subject),
        visited.map(({ name, projects }) => ({ name, projects })),
      );
    });

    test("node, nodes and PageInfo are another Relay server's as well", LIMIT, async () => {
      const { data, errors } = await run({
        query: `{
          node(id: "room-1") { __typename ... on Room { floor builtAt } ... on Subject { name } }
          nodes(ids: ["room-1"]) { id }
          rooms(first: 1) { pageInfo { hasNextPage endCursor } }
          subjects(first: 1) { pageInfo { hasNextPage startCursor } edges { cursor } }
        }`,
      });
      assert.equal(errors, undefined);
      assert.deepEqual(data.node, { __typename: 'Room', floor: 3, builtAt: '1969-07-20T20:17:00Z' });
      assert.deepEqual(data.nodes, [{ id: 'room-1' }]);
      assert.deepEqual(data.rooms.pageInfo, { hasNextPage: false, endCursor: 'r' });
      const [{ cursor }] = data.subjects.edges;
      assert.deepEqual(data.subjects.pageInfo, { hasNextPage: true, startCursor: cursor });
    });

    test('writes pass, one after the other, and what is read next shows them', LIMIT, async () => {
      const [{ id }] = animals;
      const { data, errors } = await run({
        query: `mutation Write($id: ID!, $input: SubjectUpdateInput!, $bad: SubjectCreateInput!) {
          update: subjectUpdate(id: $id, input: $input) {
            subject { description metadata consentForms { title } }
            userErrors { code }
          }
          visitAdd(subjectId: $id) { subject { description } }
          again: subjectUpdate(id: $id, input: { brainStem: { metadata: { cage: "B2", weight: 21.5 } } }) {
            subject { metadata }
          }
          create: subjectCreate(input: $bad) { subject { id } userErrors { code field } }
        }`,
        variables: {
          id,
          input: { brainStem: { description: 'by router', metadata: { cage: 'A1' } } },
          bad: { hautAi: { name: 'Jo' } },
        },
      });
      assert.equal(errors, undefined);
      assert.deepEqual(data, {
        update: {
          subject: { description: 'by router', metadata: { cage: 'A1' }, consentForms: consentOf({ id }) },
          userErrors: [],
        },
        visitAdd: { subject: { description: 'by router' } },
        again: { subject: { metadata: { cage: 'B2', weight: 21.5 } } },
        create: { subject: null, userErrors: [{ code: 'REQUIRED', field: ['datasetId'] }] },
      });
      const direct = await ask(gateway, 'query ($by: SubjectBy!) { subject(by: $by) { description } }', { by: { id } });
      assert.deepEqual(direct.data.subject, { description: 'by router' });
    });

    test('exactly one key of a @oneOf input is taken', LIMIT, async () => {
      const query = 'query One($by: SubjectBy!) { subject(by: $by) { id consentForms { title } } }';
      const [animal] = animals;
      for (const by of [{ id: animal.id }, { brainStemName: animal.name }]) {
        const { data, errors } = await run({ query, variables: { by } });
        assert.equal(errors, undefined);
        assert.deepEqual(data.subject, { id: animal.id, consentForms: consentOf(animal) });
      }
      const nobody = await run({ query, variables: { by: { brainStemName: 'nobody' } } });
      assert.deepEqual(nobody, { data: { subject: null } });
      const both = await run({ query, variables: { by: { id: animal.id, brainStemName: animal.name } } });
      assert.equal(both.data?.subject ?? null, null);
      assert.match(both.errors[0].message, refusesTwoKeys);
    });

    test('an error arrives with its extensions, and its siblings stay', LIMIT, async () => {
      const { data, errors } = await run({
        query: '{ wrong: subjects(first: 101) { nodes { id } } right: subjects(first: 1) { nodes { name } } }',
      });
      assert.equal(data.wrong, null);
      assert.equal(data.right.nodes.length, 1);
      assert.deepEqual(told(errors), [
        {
          message: '`first` is out of range: expected a number from 0 to 100.',
          path: ['wrong'],
          code: 'BAD_USER_INPUT',
          source: undefined,
          retryable: false,
        },
      ]);
    });

    test("a client's headers reach us", LIMIT, async () => {
      const { data } = await run({ query: '{ sources { source } }', headers: { 'x-request-id': 'by-the-router' } });
      assert.equal(data.sources.length, 2);
      // The line is written beside the answer, so it may come a little later than this one.
      while (!gateway.log.some((line) => line.includes('by-the-router'))) await ask(gateway, '{ __typename }');
    });

    test('every query of the cookbook is answered as we answer it', LIMIT, async () => {
      let asked = 0;
      await readCookbook(async ({ query, variables }) => {
        const [direct, routed] = [await ask(gateway, query, variables), await run({ query, variables })];
        assert.deepEqual(routed.data, direct.data, query);
        assert.deepEqual(told(routed.errors), told(direct.errors), query);
        asked += 1;
        return direct.data;
      });
      assert.ok(asked > 20, `${asked} queries`);
    });
  });

  describe('with Haut.AI down and a small limit of entities', () => {
    let gateway, subgraphs, run, stop, animals;

    before(async () => {
      const env = { LIMITS_MAX_ENTITIES: '3' };
      ({ gateway, subgraphs, run, stop } = await startSupergraph(startRouter, { hautAi: 'down', env }));
      animals = await subjectsOf(gateway, 'BRAINSTEM');
    }, LIMIT);
    after(() => stop());

    const DOWN = { message: 'Haut.AI could not be reached.', code: 'UPSTREAM_UNAVAILABLE', source: 'HAUT_AI' };
    const down = (path) => ({ ...DOWN, path, retryable: true });

    test("our list has BrainSTEM's subjects, the error and the consents", LIMIT, async () => {
      const { data, errors } = await run({
        query: `{
          subjects(first: 2) { nodes { name consentForms { title } } sources { source status code } }
          biologicalSexes { name }
          projects(first: 1) { nodes { __typename } }
        }`,
      });
      assert.deepEqual(
        data.subjects.nodes,
        animals.slice(0, 2).map(({ id, name }) => ({ name, consentForms: [{ title: `Consent of ${id}` }] })),
      );
      assert.deepEqual(data.subjects.sources, [
        { source: 'HAUT_AI', status: 'FAILING', code: 'UPSTREAM_UNAVAILABLE' },
        { source: 'BRAINSTEM', status: 'AVAILABLE', code: null },
      ]);
      assert.deepEqual(
        [data.biologicalSexes, data.projects],
        [null, { nodes: [{ __typename: 'Project' }] }],
      );
      assert.deepEqual(told(errors), [down(['biologicalSexes']), down(['subjects'])]);
    });

    test("another subgraph's visits have BrainSTEM's subjects, and an error for each person", LIMIT, async () => {
      // A person whom the sandbox has, by what the gateway would call her.
      const person = 'AQEBEj5FZ-ibEtOkVkJmFBdAAFscTw5qOU1bnQovbDt-ihFR2djD5apNLKaH9mzRolo-';
      subgraphs.setVisits([animals[1].id, person, animals[0].id].map((subjectId) => ({ subjectId })));
      const { data, errors } = await run({ query: '{ visits { who: subject { name projects { name } } } }' });
      assert.deepEqual(
        data.visits.map(({ who }) => who?.name),
        [animals[1].name, undefined, animals[0].name],
      );
      assert.deepEqual(data.visits[2].who.projects, animals[0].projects);
      assert.deepEqual(told(errors).slice(0, 1), [down(errorPath(['visits', 1, 'who'], 'name'))]);
    });

    test('more subjects at once than the limit are all refused', LIMIT, async () => {
      subgraphs.setVisits(animals.slice(0, 4).map(({ id }) => ({ subjectId: id })));
      const { data, errors } = await run({ query: '{ visits { id who: subject { name } } }' });
      assert.deepEqual(
        data.visits,
        [0, 1, 2, 3].map((index) => ({ id: `visit-${index}`, who: null })),
      );
      assert.equal(errors[0].extensions.code, 'BAD_USER_INPUT');
      assert.match(errors[0].message, /`representations` has 4 entities: expected at most 3/);
    });
  });
}
