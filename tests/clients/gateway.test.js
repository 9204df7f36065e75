// What every other file here builds on: a gateway with both sources, and one whose Haut.AI is down.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, startGateway } from './gateway.js';

const QUERY = '{ subjects(first: 100, orderBy: {field: NAME}) { nodes { source name } } }';

test('both sources answer', async (t) => {
  const gateway = await startGateway();
  t.after(() => gateway.stop());
  const { data, errors } = await ask(gateway, QUERY);
  assert.equal(errors, undefined);
  assert.deepEqual(new Set(data.subjects.nodes.map(({ source }) => source)), new Set(['HAUT_AI', 'BRAINSTEM']));
});

test('with Haut.AI down the animals come, and the error', async (t) => {
  const gateway = await startGateway({ hautAi: 'down' });
  t.after(() => gateway.stop());
  const { data, errors } = await ask(gateway, QUERY);
  assert.ok(data.subjects.nodes.length > 0);
  assert.ok(data.subjects.nodes.every(({ source }) => source === 'BRAINSTEM'));
  assert.deepEqual(
    errors.map(({ extensions: { code, source } }) => ({ code, source })),
    [{ code: 'UPSTREAM_UNAVAILABLE', source: 'HAUT_AI' }],
  );
});
