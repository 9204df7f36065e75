// The subgraph composes with both libraries, alone and beside what platform teams have, and loses nothing on the way.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { composeServices as composeByApollo } from '@apollo/composition';
import {
  applyTagFilterOnSubgraphs,
  composeSchemaContract,
  composeServices as composeByTheGuild,
} from '@theguild/federation-composition';
import { buildSchema, isObjectType, parse, validateSchema, valueFromASTUntyped, visit } from 'graphql';
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

// Where a directive is applied in a document: its arguments by schema coordinate, such as `Subject.name`.
function applied(document, directive) {
  const found = {};
  const path = [];
  const note = (node) => {
    path.push(node.name.value);
    for (const { name, arguments: given } of node.directives) {
      if (name.value !== directive) continue;
      const values = given.map((argument) => [argument.name.value, valueFromASTUntyped(argument.value)]);
      (found[path.join('.')] ??= []).push(Object.fromEntries(values));
    }
  };
  const leave = () => void path.pop();
  const named = {};
  for (const kind of ['ObjectType', 'InterfaceType', 'InputObjectType', 'EnumType', 'ScalarType', 'UnionType']) {
    named[`${kind}Definition`] = { enter: note, leave };
  }
  for (const kind of ['FieldDefinition', 'InputValueDefinition', 'EnumValueDefinition']) {
    named[kind] = { enter: note, leave };
  }
  visit(document, { DirectiveDefinition: () => false, ...named });
  return found;
}

const composed = ({ supergraphSdl, errors, hints }) => {
  assert.deepEqual(errors?.map(String), undefined);
  // Hints point at what one subgraph says otherwise than another. Only Apollo's library gives any.
  assert.deepEqual((hints ?? []).map(String), []);
  return parse(supergraphSdl);
};

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
    const marked = Object.keys(applied(parse(sdl), 'tag'));
    for (const coordinate of marked) {
      const [typeName, fieldName] = coordinate.split('.');
      const type = schema.getType(typeName);
      assert.ok(!type || (fieldName && !type.getFields()[fieldName]), coordinate);
    }
    const subject = schema.getType('Subject');
    assert.ok(isObjectType(subject));
    const left = Object.keys(subject.getFields());
    for (const field of ['id', 'source', 'sex', 'projects', 'consentForms']) assert.ok(left.includes(field), field);
    assert.ok(schema.getMutationType().getFields().subjectDelete);
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
