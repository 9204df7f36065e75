// docs/queries.md, whose queries every router has to answer as the gateway does.
import { readFileSync } from 'node:fs';
import { parse } from 'graphql';

const PAGE = new URL('../../docs/queries.md', import.meta.url);
// A query with this before it is asked while a source is down.
const DOWN = '<!-- BrainSTEM is down -->\n';

// `"$Name/subjects/nodes/0/id"` stands for what the last answer to the query `Name` has there.
function filledIn(variables, answers) {
  return JSON.parse(JSON.stringify(variables), (_, value) => {
    if (typeof value !== 'string' || !value.startsWith('$')) return value;
    const [name, ...path] = value.slice(1).split('/');
    return path.reduce((data, key) => data[key], answers.get(name));
  });
}

// Whether it only reads, and nothing that the subgraph leaves to others.
function isRouted({ operation, selectionSet }) {
  const leftOut = selectionSet.selections.some(({ name }) => ['node', 'nodes'].includes(name?.value));
  return operation === 'query' && !leftOut;
}

/**
 * Asks every query on the page that reads and that a router can answer, with each of the variables beside it: `each`
 * gets `{ query, variables }` and answers with its data, which later variables may refer to.
 */
export async function readCookbook(each) {
  const page = readFileSync(PAGE, 'utf8');
  const fences = /^```(\w+)\n(.*?)^```$/gms;
  const answers = new Map();
  let recipe;
  let variables = {};
  for (const { index, 1: language, 2: text } of page.matchAll(fences)) {
    if (language === 'graphql') {
      const [operation] = parse(text).definitions;
      const isAsked = isRouted(operation) && !page.slice(0, index).endsWith(DOWN);
      recipe = isAsked ? { query: text, name: operation.name?.value } : undefined;
    } else if (language === 'json' && recipe) {
      const block = JSON.parse(text);
      if (!('data' in block || 'errors' in block)) {
        variables = filledIn(block, answers);
        continue;
      }
      answers.set(recipe.name, await each({ query: recipe.query, variables }));
      variables = {};
    }
  }
}
