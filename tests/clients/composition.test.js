// The subgraph composes with both libraries, alone and beside what platform teams have, and loses nothing on the way.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { composeServices as composeByApollo } from '@apollo/composition';
import {
  applyTagFilterOnSubgraphs,
  composeSchemaContract,
  composeServices as composeByTheGuild,
} from '@theguild/federation-composition';
import { buildSchema, parse, printSchema, validateSchema, valueFromASTUntyped, visit } from 'graphql';
import { startGateway } from './gateway.js';
import { CONSENTS, printedSdl, ROOMS, servedSdl, VISITS } from './subgraphs.js';

const LIBRARIES = { '@apollo/composition': composeByApollo, '@theguild/federation-composition': composeByTheGuild };

const BESIDE = {
  'nothing else': {},
  'a subgraph that extends Subject': { consents: CONSENTS },
  'a subgraph that refers to subjects': { visits: VISITS },
  'a Relay subgraph': { rooms: ROOMS },
  'all of them': { consents: CONSENTS, visits: VISITS, rooms: ROOMS },
};

const LIMIT = { timeout: 60_000 };

let sdl;
before(async () => {
  sdl = await printedSdl();
}, LIMIT);

function services(others) {
  return Object.entries({ subjects: sdl, ...others }).map(([name, text]) => ({
    name,
    typeDefs: parse(text),
    url: `http://${name}.example/graphql`,
  }));
}

// Visits whatever has a schema coordinate, such as `Subject`, `Subject.name` or `Query.subjects.first`.
function walk(document, each) {
  const path = [];
  const enter = (node) => {
    path.push(node.name.value);
    each(path.join('.'), node);
  };
  const leave = () => void path.pop();
  const kinds = ['ObjectType', 'InterfaceType', 'UnionType', 'EnumType', 'ScalarType', 'InputObjectType'];
  const named = [...kinds, 'Field', 'InputValue', 'EnumValue'].map((kind) => [`${kind}Definition`, { enter, leave }]);
  visit(document, { DirectiveDefinition: () => false, ...Object.fromEntries(named) });
}

// Where a directive is applied: its arguments by schema coordinate.
function applied(document, directive) {
  const found = {};
  walk(document, (coordinate, node) => {
    for (const { name, arguments: given } of node.directives) {
      if (name.value !== directive) continue;
      const values = given.map((argument) => [argument.name.value, valueFromASTUntyped(argument.value)]);
      (found[coordinate] ??= []).push(Object.fromEntries(values));
    }
  });
  return found;
}

const composed = ({ supergraphSdl, errors, hints }) => {
  assert.deepEqual(errors?.map(String), undefined);
  // Hints point at what one subgraph says otherwise than another. Only Apollo's library gives any.
  assert.deepEqual((hints ?? []).map(String), []);
  return parse(supergraphSdl);
};

// The subgraphs that docs/federation.md shows to those who refer to subjects.
test('the subgraphs of the documentation compose', LIMIT, () => {
  const page = readFileSync(new URL('../../docs/federation.md', import.meta.url), 'utf8');
  const shown = [...page.matchAll(/^```graphql\n(.*?)^```$/gms)].map(([, text]) => text);
  assert.equal(shown.length, 2);
  const others = Object.fromEntries(shown.map((text, index) => [`shown${index}`, text]));
  for (const compose of Object.values(LIBRARIES)) composed(compose(services(others)));
});

test('the program prints what a gateway serves, also with introspection off', LIMIT, async (t) => {
  const gateways = await Promise.all([startGateway(), startGateway({ env: { GATEWAY_INTROSPECTION: 'false' } })]);
  t.after(() => Promise.all(gateways.map((gateway) => gateway.stop())));
  for (const gateway of gateways) assert.equal((await servedSdl(gateway)).trim(), sdl.trim());
});

for (const [library, compose] of Object.entries(LIBRARIES)) {
  describe(library, () => {
    for (const [name, others] of Object.entries(BESIDE)) {
      test(`composes beside ${name}`, LIMIT, () => {
        const supergraph = composed(compose(services(others)));
        // Every node is an entity, which the router may fetch here by its id.
        const isNode = (type) => type.interfaces?.some(({ name }) => name.value === 'Node');
        const nodes = parse(sdl).definitions.filter(isNode);
        assert.ok(nodes.length > 10);
        const keys = applied(supergraph, 'join__type');
        for (const type of nodes) {
          const ours = keys[type.name.value].filter(({ graph }) => graph === 'SUBJECTS');
          assert.deepEqual(ours, [{ graph: 'SUBJECTS', key: 'id' }], type.name.value);
        }
        assert.equal(keys.Subject.length, 1 + ('consents' in others) + ('visits' in others));
      });
    }

    test('leaves node and nodes to the others', LIMIT, () => {
      const rootFields = ({ definitions }) =>
        definitions.find((type) => type.name?.value === 'Query').fields.map((field) => field.name.value);
      const [alone, beside] = [{}, { rooms: ROOMS }].map((others) => rootFields(composed(compose(services(others)))));
      assert.ok(alone.includes('subjects') && !alone.includes('node') && !alone.includes('nodes'), alone);
      assert.ok(beside.includes('subjects') && beside.includes('node') && beside.includes('nodes'), beside);
    });

    test('keeps what its subgraph says of personal data and of costs', LIMIT, () => {
      const supergraph = composed(compose(services(BESIDE['all of them'])));
      for (const directive of ['tag', 'cost', 'listSize']) {
        const said = applied(parse(sdl), directive);
        assert.ok(Object.keys(said).length > 0, directive);
        assert.deepEqual(applied(supergraph, directive), said, directive);
      }
    });
  });
}

describe('of its directives', () => {
  test('pii marks names, birth dates and metadata', LIMIT, () => {
    const marked = applied(parse(sdl), 'tag');
    for (const field of ['Subject.name', 'Subject.birthDate', 'Subject.metadata']) {
      assert.deepEqual(marked[field], [{ name: 'pii' }], field);
    }
  });

  test('every list says how long it may be', LIMIT, () => {
    const document = parse(sdl);
    const said = applied(document, 'listSize');
    const isList = (field) => field.arguments.some(({ name }) => name.value === 'first');
    const lists = document.definitions
      .filter(({ kind }) => kind === 'ObjectTypeDefinition')
      .flatMap(({ name, fields }) => fields.filter(isList).map((field) => `${name.value}.${field.name.value}`));
    assert.ok(lists.length > 10);
    for (const list of lists) {
      const [{ slicingArguments, requireOneSlicingArgument, sizedFields, assumedSize }] = said[list] ?? [{}];
      assert.deepEqual(slicingArguments, ['first', 'last'], list);
      // Neither is required: a page then has 20.
      assert.equal(requireOneSlicingArgument, false, list);
      assert.equal(assumedSize, 20, list);
      assert.deepEqual(sizedFields, ['edges', 'nodes'], list);
    }
  });
});

describe('a contract without personal data', () => {
  const WITHOUT = { include: new Set(), exclude: new Set(['pii']) };

  // The API that clients of the contract see is whole, and has nothing that is marked.
  function check(schema) {
    assert.deepEqual(validateSchema(schema), []);
    const left = new Set();
    walk(parse(printSchema(schema)), (coordinate) => left.add(coordinate));
    for (const marked of Object.keys(applied(parse(sdl), 'tag'))) assert.ok(!left.has(marked), marked);
    const kept = ['Subject.id', 'Subject.source', 'Subject.projects', 'Subject.consentForms', 'Mutation.subjectDelete'];
    for (const coordinate of kept) assert.ok(left.has(coordinate), coordinate);
  }

  test('comes of @theguild/federation-composition', LIMIT, () => {
    const result = composeSchemaContract(services(BESIDE['all of them']), WITHOUT, true);
    composed(result);
    check(buildSchema(result.publicSdl));
  });

  test('composes with @apollo/composition', LIMIT, () => {
    const result = composeByApollo(applyTagFilterOnSubgraphs(services(BESIDE['all of them']), WITHOUT));
    composed(result);
    check(result.schema.toAPISchema().toGraphQLJSSchema());
  });
});
