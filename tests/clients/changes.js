// The flow of `subjectChanged`, whatever carries it.
import assert from 'node:assert/strict';
import { create, describe, newAnimal, newPerson, remove, rename, write } from './subjects.js';

export const CHANGES = `subscription Changes($ids: [ID!], $sources: [SubjectSource!]) {
  subjectChanged(ids: $ids, sources: $sources) { kind id at subject { id name source } }
}`;

/** Reads the results of a subscription as they come: `changes` has them all, `until` waits for one. */
export function listen(results) {
  const changes = [];
  const waiting = new Set();
  let end;
  const settle = () => {
    for (const waiter of waiting) {
      const found = changes.find(waiter.passes);
      if (!found && !end) continue;
      waiting.delete(waiter);
      if (found) waiter.resolve(found);
      else waiter.reject(end);
    }
  };
  const read = async () => {
    for await (const { data, errors } of results) {
      assert.equal(errors, undefined);
      changes.push(data.subjectChanged);
      settle();
    }
    throw new Error('the subscription ended');
  };
  read().catch((error) => {
    end = error;
    settle();
  });
  const until = (passes) =>
    new Promise((resolve, reject) => {
      waiting.add({ passes, resolve, reject });
      settle();
    });
  return { changes, until };
}

// No protocol says when a subscription is there: so a subject is changed until it hears of it.
export async function hears(gateway, listener, id, change = rename) {
  let isOver = false;
  const over = listener.until((heard) => heard.id === id).finally(() => (isOver = true));
  // What is wrong is thrown in the end, not while a change is under way.
  over.catch(() => {});
  for (let n = 1; !isOver; n++) await change(gateway, id, `Probe ${n}`);
  return over;
}

const CLEAR = `mutation($id: ID!) {
  subjectPhotosClear(id: $id) { userErrors { code message } }
}`;

const DELETE = `mutation($ids: [ID!]!) {
  subjectsDelete(ids: $ids) { userErrors { code message } }
}`;

// Everything that can happen to an animal: each change is waited for, so that the next one's subject is certain.
export async function followAnimal(gateway, { changes, until }, name) {
  const id = await create(gateway, newAnimal(name));
  const created = await until((change) => change.id === id && change.kind === 'CREATED');
  assert.deepEqual(created.subject, { id, name, source: 'BRAINSTEM' });
  assert.ok(Math.abs(Date.parse(created.at) - Date.now()) < 60_000, created.at);

  await describe(gateway, id, 'seen');
  const updated = await until((change) => change.id === id && change.kind === 'UPDATED');
  assert.deepEqual(updated.subject, { id, name, source: 'BRAINSTEM' });

  await remove(gateway, id);
  const deleted = await until((change) => change.id === id && change.kind === 'DELETED');
  assert.equal(deleted.subject, null);

  const kinds = changes.filter((change) => change.id === id).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['CREATED', 'UPDATED', 'DELETED']);
}

// Everything that can happen to a person.
export async function followPerson(gateway, { changes, until }) {
  const id = await create(gateway, newPerson('Mira'));
  const created = await until((change) => change.id === id && change.kind === 'CREATED');
  assert.deepEqual(created.subject, { id, name: 'Mira', source: 'HAUT_AI' });

  await rename(gateway, id, 'Mira Lind');
  const updated = await until((change) => change.id === id && change.kind === 'UPDATED');
  assert.equal(updated.subject.name, 'Mira Lind');

  await write(gateway, 'subjectPhotosClear', CLEAR, { id });
  const cleared = await until((change) => change.id === id && change.kind === 'CLEARED');
  assert.equal(cleared.subject.name, 'Mira Lind');

  await write(gateway, 'subjectsDelete', DELETE, { ids: [id] });
  const deleted = await until((change) => change.id === id && change.kind === 'DELETED');
  assert.equal(deleted.subject, null);

  const kinds = changes.filter((change) => change.id === id).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['CREATED', 'UPDATED', 'CLEARED', 'DELETED']);
}
