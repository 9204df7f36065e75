// An Apollo Client as docs/frontend.md sets it up, for the tests of it.
import assert from 'node:assert/strict';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
import { ask } from './gateway.js';
import { watchedFetch } from './traffic.js';

export const DETAIL = gql`
  query Detail($id: ID!) {
    node(id: $id) {
      id
      ... on Subject {
        name
        tags
      }
    }
  }
`;

// The next result that passes, of a query that is shown.
export function next(observable, passes) {
  return new Promise((resolve, reject) => {
    const subscription = observable.subscribe({
      next(result) {
        if (!passes(result)) return;
        queueMicrotask(() => subscription.unsubscribe());
        resolve(result);
      },
      error: reject,
    });
  });
}

// As Apollo's documentation makes them of the schema.
async function possibleTypes(gateway) {
  const { data } = await ask(gateway, '{ __schema { types { kind name possibleTypes { name } } } }');
  const abstract = data.__schema.types.filter((type) => type.possibleTypes);
  return Object.fromEntries(abstract.map((type) => [type.name, type.possibleTypes.map(({ name }) => name)]));
}

/** A cache that knows the schema's interfaces and unions, and puts the pages of `subjects` together. */
export async function newCache(gateway) {
  return new InMemoryCache({
    possibleTypes: await possibleTypes(gateway),
    typePolicies: {
      Query: { fields: { subjects: relayStylePagination(['filter', 'orderBy']) } },
      // They have no `id`: what different queries selected of them is put together.
      HautAiSubject: { merge: true },
      BrainStemSubject: { merge: true },
    },
  });
}

/**
 * A client, and what it sends. In the end it must have warned of nothing, such as of data that it lost.
 *
 * `links` come before the one that sends, which `terminate` makes of its options.
 */
export async function connect(t, gateway, { links = [], terminate = (options) => new HttpLink(options) } = {}) {
  const warnings = ['warn', 'error'].map((level) => t.mock.method(console, level));
  const { fetch, traffic } = watchedFetch();
  const client = new ApolloClient({
    cache: await newCache(gateway),
    link: ApolloLink.from([...links, terminate({ uri: gateway.graphql, fetch })]),
  });
  t.after(() => {
    client.stop();
    assert.deepEqual(
      warnings.flatMap(({ mock }) => mock.calls.map((call) => call.arguments)),
      [],
    );
  });
  return { client, traffic };
}
