// Behind @apollo/gateway, which composes the supergraph from what each subgraph serves.
import { createHash } from 'node:crypto';
import { ApolloGateway, IntrospectAndCompose, RemoteGraphQLDataSource } from '@apollo/gateway';
import { parse, validate } from 'graphql';
import { testRouter } from './routing.js';

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

// Passes on what a client sent, as a router has to for credentials.
class PassingHeaders extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    for (const [name, value] of Object.entries(context.headers ?? {})) request.http.headers.set(name, value);
  }
}

// Apollo Server's part is done here: parse, validate, execute.
async function startRouter(services) {
  const gateway = new ApolloGateway({
    supergraphSdl: new IntrospectAndCompose({ subgraphs: services.map(({ name, url }) => ({ name, url })) }),
    buildService: ({ url }) => new PassingHeaders({ url }),
    logger: QUIET,
  });
  const { schema, executor } = await gateway.load();
  return {
    async run({ query, variables, headers }) {
      const document = parse(query);
      const errors = validate(schema, document);
      if (errors.length > 0) return { errors };
      const result = await executor({
        request: { query, variables },
        document,
        queryHash: createHash('sha256').update(query).digest('hex'),
        schema,
        context: { headers },
        metrics: {},
        logger: QUIET,
      });
      // As it goes over the wire.
      return JSON.parse(JSON.stringify(result));
    },
    stop: () => gateway.stop(),
  };
}

testRouter(startRouter, {
  // Composition drops `@oneOf`, so the refusal is the gateway's own.
  refusesTwoKeys: /exactly one/i,
  absentErrors: () => [],
  errorPath: (entity) => entity,
});
