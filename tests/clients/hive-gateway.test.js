// Behind @graphql-hive/gateway, over a supergraph composed by @theguild/federation-composition.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createGatewayRuntime } from '@graphql-hive/gateway';
import { composeSchemaContract, composeServices } from '@theguild/federation-composition';
import { LIMIT, startSupergraph, subjectsOf, testRouter } from './routing.js';

const PASSED_ON = ['x-request-id'];

// `compose` makes the supergraph, `config` adds to the router's configuration.
async function startRouter(services, { compose = composeServices, config } = {}) {
  const { supergraphSdl, errors } = compose(services);
  assert.equal(errors, undefined);
  const router = createGatewayRuntime({
    supergraph: supergraphSdl,
    logging: false,
    propagateHeaders: {
      fromClientToSubgraphs({ request }) {
        return Object.fromEntries(PASSED_ON.map((name) => [name, request.headers.get(name)]));
      },
    },
    ...config,
  });
  return {
    async run({ query, variables, headers }) {
      const response = await router.fetch('http://router/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query, variables }),
      });
      return response.json();
    },
    // The results of a subscription, as they come.
    async subscribe({ query, variables }) {
      const response = await router.fetch('http://router/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ query, variables }),
      });
      return results(response.body);
    },
    stop: () => router[Symbol.asyncDispose](),
  };
}

// Reads server-sent events.
async function* results(body) {
  let text = '';
  for await (const part of body.pipeThrough(new TextDecoderStream())) {
    const events = (text + part).split('\n\n');
    text = events.pop();
    for (const event of events) {
      if (/^event: next$/m.test(event)) yield JSON.parse(event.match(/^data: (.*)$/m)[1]);
    }
  }
}

testRouter(startRouter, {
  // The router refuses them itself.
  refusesTwoKeys: /exactly one key/i,
  // It completes the reference with null for each field, and a non-null one then fails.
  absentErrors: (entity) => [[...entity, 'name']],
  errorPath: (entity, field) => [...entity, field],
});

describe('with a contract and a limit of costs', () => {
  let run, stop;

  before(async () => {
    const withoutPii = { include: new Set(), exclude: new Set(['pii']) };
    const compose = (services) => composeSchemaContract(services, withoutPii, true);
    const config = { demandControl: { maxCost: 200, includeExtensionMetadata: true } };
    const start = (services) => startRouter(services, { compose, config });
    ({ run, stop } = await startSupergraph(start));
  }, LIMIT);
  after(() => stop());

  test('personal data is not there to be asked for, but for other subgraphs', LIMIT, async () => {
    const refused = await run({ query: '{ subjects(first: 1) { nodes { name birthDate metadata } } }' });
    assert.deepEqual(
      refused.errors.map(({ message }) => message.match(/^Cannot query field "(\w+)" on type "Subject"/)?.[1]),
      ['name', 'birthDate', 'metadata'],
    );
    const { data, errors } = await run({
      query: '{ subjects(first: 1, filter: { sources: [BRAINSTEM] }) { nodes { source greeting } } }',
    });
    assert.equal(errors, undefined);
    // The greeting is made of the name, which the router fetches for the subgraph that needs it.
    assert.deepEqual(data.subjects.nodes, [{ source: 'BRAINSTEM', greeting: 'Dear   spaced  ' }]);
  });

  test('the costs and sizes that we say bound what clients may ask', LIMIT, async () => {
    const query = 'query Costs($first: Int!) { subjects(first: $first) { nodes { id projects { id } } } }';
    const small = await run({ query, variables: { first: 3 } });
    const large = await run({ query, variables: { first: 100 } });
    assert.equal(small.errors, undefined);
    assert.equal(small.data.subjects.nodes.length, 3);
    assert.equal(large.data?.subjects ?? null, null);
    const [{ extensions }] = large.errors;
    assert.equal(extensions.code, 'COST_ESTIMATED_TOO_EXPENSIVE');
    // By `first`, and not less for each subject than 1 and what its projects cost.
    const costs = [small.extensions.cost.estimated, extensions.cost.estimated];
    assert.ok(costs[1] - costs[0] >= 97 * 3, costs);
  });
});

describe('subscriptions', () => {
  const ways = {
    WebSocket: { kind: 'ws', location: '/graphql/ws' },
    'server-sent events': { kind: 'http', location: '/graphql/stream' },
    'what the router does unasked': undefined,
  };

  for (const [way, subscriptions] of Object.entries(ways)) {
    test(`a change comes by ${way}, with what another subgraph knows of the subject`, LIMIT, async (t) => {
      const config = subscriptions ? { transportEntries: { subjects: { options: { subscriptions } } } } : {};
      const { gateway, router, run, stop } = await startSupergraph((services) => startRouter(services, { config }));
      t.after(stop);
      const [{ id }] = await subjectsOf(gateway, 'BRAINSTEM');
      const changes = await router.subscribe({
        query: `subscription Watch($ids: [ID!]) {
          subjectChanged(ids: $ids) { kind id subject { description consentForms { title } } }
        }`,
        variables: { ids: [id] },
      });
      let change;
      const changed = changes.next().then(({ value }) => (change = value));
      // The router may answer before it has subscribed here, so the first writes may come too early.
      while (!change) {
        await run({
          query: `mutation Write($id: ID!) {
            subjectUpdate(id: $id, input: { brainStem: { description: "watched" } }) { userErrors { code } }
          }`,
          variables: { id },
        });
      }
      await changed;
      assert.deepEqual(change, {
        data: {
          subjectChanged: {
            kind: 'UPDATED',
            id,
            subject: { description: 'watched', consentForms: [{ title: `Consent of ${id}` }] },
          },
        },
      });
      await changes.return();
    });
  }
});
