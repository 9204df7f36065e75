// What the tests know of the sandbox's subjects without any client library.
import { ask } from './gateway.js';

// Records that the sandbox has at every start.
export const ANIMAL = { id: 'AQECsu7Rti7tQbae7ba2tra2tg', name: 'Thy1-0006' };
export const PERSON = {
  id: 'AQEBEj5FZ-ibEtOkVkJmFBdAAFscTw5qOU1bnQovbDt-ihFR2djD5apNLKaH9mzRolo-',
  sourceId: '51d9d8c3-e5aa-4d2c-a687-f66cd1a25a3e',
  name: 'Chloé Smith',
};
export const DATASET_ID = 'AQ4BEj5FZ-ibEtOkVkJmFBdAAFscTw5qOU1bnQovbDt-ihE';
export const PROJECT = { id: 'AQICdofSMFhiQyqu65DZYabeZA', name: 'Grid cells' };
const STRAIN_ID = 'AQYC3uydo-4mQ0iVTkhPYsRjyA';

// What `subjectCreate` takes for an animal: its name must be one that no other has.
export function newAnimal(name) {
  return { brainStem: { name, sex: 'MALE', strainId: STRAIN_ID, projectIds: [PROJECT.id] } };
}

// What `subjectCreate` takes for a person.
export function newPerson(name) {
  return { hautAi: { name, datasetId: DATASET_ID } };
}

// The ids of all subjects that pass the filter, in order.
export async function allIds(gateway, variables = {}) {
  const query = `query All($filter: SubjectFilter, $orderBy: SubjectOrder, $after: String) {
    subjects(first: 100, filter: $filter, orderBy: $orderBy, after: $after) {
      nodes { id }
      pageInfo { hasNextPage endCursor }
    }
  }`;
  const ids = [];
  for (let page; page?.pageInfo.hasNextPage !== false;) {
    const { data, errors } = await ask(gateway, query, { ...variables, after: page?.pageInfo.endCursor });
    if (errors) throw new Error(JSON.stringify(errors));
    page = data.subjects;
    ids.push(...page.nodes.map(({ id }) => id));
  }
  return ids;
}

// Writes behind the back of the client library under test. Whatever goes wrong is thrown.

export async function write(gateway, field, mutation, variables) {
  const { data, errors } = await ask(gateway, mutation, variables);
  if (errors || data[field].userErrors.length > 0) throw new Error(JSON.stringify({ data, errors }));
  return data[field];
}

/** The new subject's id. */
export async function create(gateway, input) {
  const mutation = `mutation($input: SubjectCreateInput!) {
    subjectCreate(input: $input) { subject { id } userErrors { code message } }
  }`;
  return (await write(gateway, 'subjectCreate', mutation, { input })).subject.id;
}

/** A person's new name. */
export async function rename(gateway, id, name) {
  const mutation = `mutation($id: ID!, $name: String!) {
    subjectUpdate(id: $id, input: {hautAi: {name: $name}}) { userErrors { code message } }
  }`;
  await write(gateway, 'subjectUpdate', mutation, { id, name });
}

/** An animal's new description. */
export async function describe(gateway, id, description) {
  const mutation = `mutation($id: ID!, $description: String!) {
    subjectUpdate(id: $id, input: {brainStem: {description: $description}}) { userErrors { code message } }
  }`;
  await write(gateway, 'subjectUpdate', mutation, { id, description });
}

export async function remove(gateway, id) {
  const mutation = 'mutation($id: ID!) { subjectDelete(id: $id) { userErrors { code message } } }';
  await write(gateway, 'subjectDelete', mutation, { id });
}

// What programs go by in a list of errors, whose order means nothing.
export function failures(errors) {
  return errors
    .map(({ path, extensions: { code, source } }) => ({ path, code, source }))
    .sort((one, other) => String(one.path).localeCompare(String(other.path)));
}

// The errors, as `failures` has them, of the fields at these paths that lack Haut.AI's part because it is down.
export function hautAiIsDown(...paths) {
  return paths.map((path) => ({ path, code: 'UPSTREAM_UNAVAILABLE', source: 'HAUT_AI' }));
}
