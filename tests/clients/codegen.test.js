// Code generation with the client preset, the generated types under `tsc --strict`, and trusted documents.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { createPersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { block } from './documentation.js';
import { ask, startGateway } from './gateway.js';
import { ANIMAL, DATASET_ID, failures, hautAiIsDown, newAnimal, PERSON, PROJECT } from './subjects.js';
import { watchedFetch } from './traffic.js';

const timeout = 120_000;
const HERE = import.meta.dirname;
const BIN = path.join(HERE, 'node_modules/.bin');
const run = promisify(execFile);

let gateway;
let halfDown;
// A project of its own, as an application has it.
let project;
let program;

// Generates, and compiles a program that uses the types: either fails all tests here.
before(
  async () => {
    [gateway, halfDown] = await Promise.all([startGateway(), startGateway({ hautAi: 'down' })]);
    project = await mkdtemp(path.join(tmpdir(), 'subject-gateway-codegen-'));
    await symlink(path.join(HERE, 'node_modules'), path.join(project, 'node_modules'));
    await cp(path.join(HERE, 'documents/typed'), path.join(project, 'src'), { recursive: true });
    await writeFile(path.join(project, 'package.json'), '{"type": "module"}');
    await writeFile(path.join(project, 'codegen.js'), await block('codegen.js', gateway));
    await tool('graphql-codegen', '--config', 'codegen.js');
    await writeFile(path.join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    await tool('tsc', '--project', 'tsconfig.json');
    program = await import(pathToFileURL(path.join(project, 'out/program.js')));
  },
  { timeout },
);
after(async () => {
  await Promise.all([gateway?.stop(), halfDown?.stop()]);
  if (project) await rm(project, { recursive: true });
});

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2022', 'dom', 'dom.iterable'],
    skipLibCheck: true,
    outDir: 'out',
    rootDir: 'src',
    types: [],
  },
  include: ['src'],
};

// Runs one of the installed tools; what it says is in the error if it fails.
async function tool(name, ...args) {
  try {
    return await run(path.join(BIN, name), args, { cwd: project });
  } catch (error) {
    throw new Error(`${name} ${args.join(' ')}:\n${error.stdout}\n${error.stderr}`);
  }
}

test('the schema that the gateway serves brings its documentation along', { timeout }, async () => {
  const generated = await readFile(path.join(project, 'src/generated/graphql.ts'), 'utf8');
  assert.match(generated, /By the `id` that this gateway gave it\./);
});

function connect(t, server, links = []) {
  const { fetch, traffic } = watchedFetch();
  const client = new ApolloClient({
    cache: new InMemoryCache({ possibleTypes: { Node: ['Subject', 'Project'] } }),
    link: ApolloLink.from([...links, new HttpLink({ uri: server.graphql, fetch })]),
  });
  t.after(() => client.stop());
  return { client, traffic };
}

test('the compiled program shows what the gateway has', { timeout }, async (t) => {
  const { client } = connect(t, gateway);
  const { lines, hasMore, failing, error } = await program.list(client, {
    first: 1,
    filter: { name: { eq: ANIMAL.name } },
  });
  assert.deepEqual(
    { count: lines.length, hasMore, failing, error },
    { count: 1, hasMore: false, failing: [], error: undefined },
  );
  assert.match(lines[0], /^Thy1-0006 \(BRAINSTEM, \d{4}\)$/);
  assert.ok((await program.projectsOf(client, { brainStemName: ANIMAL.name })).length > 0);
  assert.deepEqual(await program.names(client, [PROJECT.id, PERSON.id]), ['Project', PERSON.name]);
  const person = { ...program.inputs.person.hautAi, datasetId: DATASET_ID };
  assert.equal(await program.create(client, { hautAi: person }), 'Typed (HAUT_AI, 1990)');
  assert.match(await program.create(client, program.inputs.animal), /REQUIRED projectIds/);
});

test('with Haut.AI down the compiled program shows the animals and the error', { timeout }, async (t) => {
  const { client } = connect(t, halfDown);
  const { lines, failing, error } = await program.list(client, { first: 3 });
  assert.equal(lines.length, 3);
  assert.ok(lines.every((line) => line.includes('BRAINSTEM')));
  assert.deepEqual(failing, ['HAUT_AI']);
  assert.deepEqual(failures(error.errors), hautAiIsDown(['subjects'], ['subjects', 'totalCount']));
});

// A gateway that runs the documents of a manifest alone.
async function startTrusting(t, manifest) {
  const trusting = await startGateway({
    env: { GATEWAY_TRUSTED_DOCUMENTS: 'only', GATEWAY_TRUSTED_DOCUMENTS_FILE: path.join(project, manifest) },
  });
  t.after(() => trusting.stop());
  return trusting;
}

// The program by ids alone, and what is not in the manifest.
async function assertTrusts(t, trusting, generateHash) {
  for (const useGETForHashedQueries of [false, true]) {
    const { client, traffic } = connect(t, trusting, [
      createPersistedQueryLink({ generateHash, useGETForHashedQueries }),
    ]);
    const { lines, error } = await program.list(client, { first: 1, filter: { name: { eq: ANIMAL.name } } });
    assert.equal(error, undefined);
    assert.match(lines[0], /^Thy1-0006 /);
    const created = await program.create(client, { hautAi: { name: 'Trusted', datasetId: DATASET_ID } });
    assert.match(created, /^Trusted /);
    assert.deepEqual(
      traffic.map(({ method }) => method),
      [useGETForHashedQueries ? 'GET' : 'POST', 'POST'],
    );
    assert.ok(traffic.every(({ url, body }) => !url.searchParams.has('query') && !(body && 'query' in body)));
  }
  const { data, errors } = await ask(trusting, '{ sources { source } }');
  assert.equal(data, undefined);
  assert.equal(errors[0].extensions.code, 'PERSISTED_QUERY_REQUIRED');
}

test('the documents that the preset collected are all that runs', { timeout }, async (t) => {
  const trusting = await startTrusting(t, 'src/generated/persisted-documents.json');
  await assertTrusts(t, trusting, (document) => document.__meta__.hash);
});

test("the manifest of Apollo's tool is all that runs", { timeout }, async (t) => {
  const config = { documents: ['src/operations.ts'], output: 'manifest.json' };
  await writeFile(path.join(project, 'persisted-query-manifest.config.json'), JSON.stringify(config));
  await tool('generate-persisted-query-manifest');
  const { operations } = JSON.parse(await readFile(path.join(project, 'manifest.json'), 'utf8'));
  const ids = new Map(operations.map(({ name, id }) => [name, id]));
  const trusting = await startTrusting(t, 'manifest.json');
  await assertTrusts(t, trusting, (document) => ids.get(operationName(document)));
});

function operationName({ definitions }) {
  return definitions.find(({ kind }) => kind === 'OperationDefinition').name.value;
}
