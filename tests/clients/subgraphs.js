// What a platform team has beside the gateway: subgraphs that refer to subjects or know more about them.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { createHandler } from 'graphql-http/lib/use/http';
import { ask, PROGRAM } from './gateway.js';

const LINK = `
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@external", "@key", "@requires", "@shareable"])
`;

/** Knows more about subjects: adds fields to the gateway's `Subject`, one of which needs a field of the gateway's. */
export const CONSENTS = `${LINK}
  type Query { consentForms: [ConsentForm!]! }
  type Subject @key(fields: "id") {
    id: ID!
    name: String! @external
    consentForms: [ConsentForm!]!
    greeting: String! @requires(fields: "name")
  }
  type ConsentForm { title: String! subject: Subject! }
`;

/** Refers to subjects and projects, and has nothing to say about them. */
export const VISITS = `${LINK}
  type Query { visits: [Visit!]! }
  type Mutation { visitAdd(subjectId: ID!): Visit! }
  type Visit @key(fields: "id") { id: ID! subject: Subject project: Project }
  type Subject @key(fields: "id", resolvable: false) { id: ID! }
  type Project @key(fields: "id", resolvable: false) { id: ID! }
`;

/** A Relay server of its own, with all that each of them has. */
export const ROOMS = `${LINK}
  type Query { node(id: ID!): Node nodes(ids: [ID!]!): [Node]! rooms(first: Int, after: String): RoomConnection! }
  interface Node { id: ID! }
  type Room implements Node @key(fields: "id") { id: ID! floor: Int! builtAt: DateTime }
  scalar DateTime
  type RoomConnection { edges: [RoomEdge!]! pageInfo: PageInfo! }
  type RoomEdge { cursor: String! node: Room! }
  type PageInfo @shareable { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
`;

const ROOM = { __typename: 'Room', id: 'room-1', floor: 3, builtAt: '1969-07-20T20:17:00Z' };
const ROOM_PAGE = { hasNextPage: false, hasPreviousPage: false, startCursor: 'r', endCursor: 'r' };

// `visits` is read anew for each request.
function resolvers(visits) {
  const consents = (subject) => [{ title: `Consent of ${subject.id}`, subject }];
  return {
    consents: {
      Query: { consentForms: () => visits().flatMap(({ subject }) => consents(subject)) },
      Subject: { consentForms: consents, greeting: ({ name }) => `Dear ${name}` },
    },
    visits: {
      Query: { visits },
      Mutation: { visitAdd: (_, { subjectId }) => ({ id: 'added', subject: { id: subjectId } }) },
      Visit: { __resolveReference: ({ id }) => visits().find((visit) => visit.id === id) },
    },
    rooms: {
      Query: {
        node: (_, { id }) => (id === ROOM.id ? ROOM : null),
        nodes: (_, { ids }) => ids.map((id) => (id === ROOM.id ? ROOM : null)),
        rooms: () => ({ edges: [{ cursor: 'r', node: ROOM }], pageInfo: ROOM_PAGE }),
      },
      Room: { __resolveReference: () => ROOM },
    },
  };
}

/**
 * The three subgraphs above over HTTP: `services` for composition.
 *
 * `setVisits` says which subjects are visited, by their ids, and which project each visit belongs to.
 */
export async function startSubgraphs() {
  let visits = [];
  const resolving = resolvers(() => visits);
  const typeDefs = { consents: CONSENTS, visits: VISITS, rooms: ROOMS };
  const handlers = new Map(
    Object.entries(typeDefs).map(([name, text]) => [
      `/${name}`,
      createHandler({ schema: buildSubgraphSchema({ typeDefs: parse(text), resolvers: resolving[name] }) }),
    ]),
  );
  const server = createServer((request, response) => handlers.get(request.url)(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    services: Object.entries(typeDefs).map(([name, text]) => ({
      name,
      typeDefs: parse(text),
      url: `http://127.0.0.1:${server.address().port}/${name}`,
    })),
    setVisits(all) {
      visits = all.map(({ subjectId, projectId }, index) => ({
        id: `visit-${index}`,
        subject: { id: subjectId },
        project: projectId && { id: projectId },
      }));
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** The gateway's subgraph as its program prints it. */
export async function printedSdl() {
  const { stdout } = await promisify(execFile)(PROGRAM, ['schema', '--federation']);
  return stdout;
}

/** The gateway's subgraph as a running one tells it to routers and tools. */
export async function servedSdl(gateway) {
  const { data } = await ask(gateway, '{ _service { sdl } }');
  return data._service.sdl;
}

/** The gateway as one of the services of a supergraph. */
export async function subjectsService(gateway) {
  return { name: 'subjects', typeDefs: parse(await servedSdl(gateway)), url: gateway.graphql };
}
