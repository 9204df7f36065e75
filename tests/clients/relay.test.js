// Relay: its compiler over the gateway's schema, the queries that it persists, and the linter's rules for it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import * as graphqlEslint from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';
import { block, load } from './documentation.js';
import { ask, startGateway } from './gateway.js';
import { allIds, ANIMAL, DATASET_ID, failures, hautAiIsDown } from './subjects.js';

const timeout = 60_000;
const HERE = import.meta.dirname;
const run = promisify(execFile);

let gateway;
let schema;
// A project of its own, as an application has it.
let project;
let persisted;

// Compiles: what the compiler refuses fails all tests here.
before(
  async () => {
    gateway = await startGateway();
    schema = await (await fetch(`${gateway.url}/schema.graphql`)).text();
    project = await mkdtemp(path.join(tmpdir(), 'subject-gateway-relay-'));
    await symlink(path.join(HERE, 'node_modules'), path.join(project, 'node_modules'));
    await cp(path.join(HERE, 'documents/relay'), path.join(project, 'src'), { recursive: true });
    await writeFile(path.join(project, 'schema.graphql'), schema);
    await writeFile(path.join(project, 'relay.config.json'), await block('relay.config.json', gateway));
    await writeFile(path.join(project, 'package.json'), '{}');
    await writeFile(path.join(project, 'persisted.json'), '{}');
    await run(path.join(HERE, 'node_modules/.bin/relay-compiler'), [], { cwd: project });
    persisted = JSON.parse(await readFile(path.join(project, 'persisted.json'), 'utf8'));
  },
  { timeout },
);
after(async () => {
  await gateway?.stop();
  if (project) await rm(project, { recursive: true });
});

test('the compiler accepts the schema and a component with connections', { timeout }, async () => {
  const generated = await readdir(path.join(project, 'src/__generated__'));
  assert.ok(generated.includes('SubjectListPaginationQuery.graphql.ts'));
  const row = await readFile(path.join(project, 'src/__generated__/SubjectListRow_subject.graphql.ts'), 'utf8');
  assert.match(row, /readonly name: string;/);
  assert.match(row, /readonly birthDate: string \| null \| undefined;/);
  assert.match(row, /readonly metadata: unknown/);
  assert.equal(Object.keys(persisted).length, 6);
});

// The id that the compiler gave an operation.
function idOf(name) {
  const [id] = Object.entries(persisted).find(([, text]) => new RegExp(`^\\w+ ${name}\\b`).test(text));
  return id;
}

// Sends persisted operations by their names in the source.
async function network(t, server) {
  const { fetchQuery } = await load(t, 'relay-network.js', server);
  return (name, variables) => fetchQuery({ id: idOf(name), text: null }, variables);
}

async function startTrusting(t, options) {
  const env = {
    GATEWAY_TRUSTED_DOCUMENTS: 'only',
    GATEWAY_TRUSTED_DOCUMENTS_FILE: path.join(project, 'persisted.json'),
  };
  const trusting = await startGateway({ env, ...options });
  t.after(() => trusting.stop());
  return trusting;
}

test('the operations that the compiler persisted are all that runs', { timeout }, async (t) => {
  const trusting = await startTrusting(t);
  const send = await network(t, trusting);
  const variables = { filter: { name: { contains: 'smith' } }, orderBy: { field: 'NAME' } };
  const seen = [];
  for (let cursor = null, hasNextPage = true; hasNextPage;) {
    const { data, errors } = await send('SubjectListPaginationQuery', { ...variables, count: 10, cursor });
    assert.equal(errors, undefined);
    seen.push(...data.subjects.edges.map(({ node }) => node.id));
    ({ endCursor: cursor, hasNextPage } = data.subjects.pageInfo);
  }
  assert.ok(seen.length > 10);
  // The other gateway has the same records.
  assert.deepEqual(seen, await allIds(gateway, variables));

  const refetched = await send('SubjectListRowRefetchQuery', { id: ANIMAL.id, count: 1 });
  assert.equal(refetched.data.node.name, ANIMAL.name);
  assert.equal(refetched.data.node.procedures.edges.length, 1);

  const input = { hautAi: { name: 'Relayed', datasetId: DATASET_ID } };
  const created = await send('SubjectListCreateMutation', { input });
  const { id } = created.data.subjectCreate.subject;
  const removed = await send('SubjectListDeleteMutation', { id });
  assert.deepEqual(removed.data.subjectDelete, { deletedId: id, userErrors: [] });

  const { data, errors } = await ask(trusting, '{ sources { source } }');
  assert.equal(data, undefined);
  assert.equal(errors[0].extensions.code, 'PERSISTED_QUERY_REQUIRED');
});

test('with Haut.AI down a persisted operation has the data and the error', { timeout }, async (t) => {
  const send = await network(t, await startTrusting(t, { hautAi: 'down' }));
  const { data, errors } = await send('SubjectListQuery', {});
  assert.equal(data.subjects.edges.length, 20);
  assert.ok(data.subjects.edges.every(({ node }) => node.source === 'BRAINSTEM' && node.hautAi === null));
  assert.deepEqual(failures(errors), hautAiIsDown(['subjects']));
});

// --- The linter's rules

const { configs, parser, rules } = graphqlEslint;

// The names that the federation specification prescribes.
const FEDERATION = /\b_(service|entities|Any|Entity|Service)\b/;

// What the linter finds, but for what is federation's.
async function lint(chosen) {
  const files = ['**/*.graphql'];
  const languageOptions = { parser, parserOptions: { graphQLConfig: { schema } } };
  const overrideConfig = [{ files, plugins: { '@graphql-eslint': { rules } }, languageOptions, rules: chosen }];
  const eslint = new ESLint({ overrideConfigFile: true, overrideConfig, cwd: project });
  const [{ messages }] = await eslint.lintText(schema, { filePath: path.join(project, 'schema.graphql') });
  const lines = schema.split('\n');
  return messages
    .filter(({ line }) => !FEDERATION.test(lines[line - 1]))
    .map(({ ruleId, line, message }) => `${line}: ${message} (${ruleId})`);
}

test("the linter's rules for Relay are kept", { timeout }, async () => {
  const found = await lint({
    ...configs['flat/schema-relay'].rules,
    // Connections also have `nodes`, for those who need no cursors, and what can't grow is a plain list.
    '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
  });
  assert.deepEqual(found, []);
});

// Types that are no objects of their own: what belongs to another, and `Company`, which Haut.AI serves only within it.
const EMBEDDED = [
  'BrainStemSubject',
  'Company',
  'HautAiSubject',
  'PageInfo',
  'SourceStatus',
  'SubjectConnectionSource',
  'SubjectLogEntry',
  'UserError',
];

test("the linter's rules for schemas are kept", { timeout }, async () => {
  const exceptions = { suffixes: ['Connection', 'Edge', 'Payload'], types: EMBEDDED };
  const found = await lint({
    ...configs['flat/schema-recommended'].rules,
    '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
    '@graphql-eslint/require-nullable-fields-with-oneof': 'error',
    '@graphql-eslint/strict-id-in-types': ['error', { exceptions }],
    // `License.licenseNumber` is not the number of licences.
    '@graphql-eslint/no-typename-prefix': 'off',
  });
  assert.deepEqual(found, []);
});
