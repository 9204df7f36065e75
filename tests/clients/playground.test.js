// The playground, driven in Chromium: it asks nobody but its gateway, and does what users of GraphiQL expect.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask, startGateway } from './gateway.js';
import { startBrowser, withPlayground } from './playground.js';

const LIMIT = { timeout: 60_000 };

const EXAMPLES = ['FirstLook', 'Find', 'NextPage', 'Relations', 'Write', 'Subscribe', 'Sources'];

// What Chromium's console says of a status that is an error.
const BAD_STATUS = /^Failed to load resource: the server responded with a status of 4\d\d/;

// Without the marks of Markdown, which the page shows as type.
const plain = (description) => description.replaceAll('`', '').replaceAll(/\s+/g, ' ').trim();

async function descriptionOf(gateway, type, field) {
  const query = 'query ($type: String!) { __type(name: $type) { fields { name description } } }';
  const { data } = await ask(gateway, query, { type });
  return plain(data.__type.fields.find(({ name }) => name === field).description);
}

let browser;

before(async () => {
  browser = await startBrowser();
}, LIMIT);
after(() => browser.close());

describe('with both sources', () => {
  let gateway;

  before(async () => {
    gateway = await startGateway();
  }, LIMIT);
  after(() => gateway.stop());

  const inPlayground = (name, use, expected) =>
    test(name, LIMIT, () => withPlayground(browser, gateway, name, use, expected));

  inPlayground('the root leads to a page with a tab for each example', async (playground) => {
    const { page } = playground;
    assert.equal(page.url(), `${gateway.url}/graphiql`);
    assert.equal(await page.title(), 'subject-gateway');
    assert.deepEqual(await playground.tabs(), EXAMPLES);
  });

  inPlayground(
    'the page may ask nobody else, nor run what is written into it',
    async ({ page, console, outside }) => {
      await page.evaluate(async () => {
        await fetch('https://outside.example/').catch(() => undefined);
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }));
      });
      assert.equal(await page.evaluate(() => window.ran), undefined);
      assert.ok(console.includes('policy: connect-src forbids https://outside.example/'), console.join('\n'));
      assert.ok(console.includes('policy: script-src-elem forbids inline'), console.join('\n'));
      // Seen by the browser, not sent.
      outside.splice(0);
    },
    /^policy: |Content Security Policy/,
  );

  inPlayground('every example runs, also right after a change of tabs', async (playground) => {
    for (const tab of EXAMPLES.filter((name) => name !== 'Subscribe')) {
      await playground.goTo(tab);
      const { request, data, errors } = await playground.run();
      assert.equal(errors, undefined, tab);
      assert.equal(request.postDataJSON().operationName, tab);
      const [answer] = Object.values(data);
      const list = tab === 'Sources' ? answer : (answer.nodes ?? answer.userErrors);
      assert.ok(list.length > 0, tab);
      // The example that pages brings its variables; the write lacks something on purpose.
      if (tab === 'NextPage') assert.deepEqual(request.postDataJSON().variables, { first: 5, after: null });
      if (tab === 'Write') assert.equal(answer.subject, null);
    }
  });

  inPlayground('a query is typed, completed and run', async (playground) => {
    const { page } = playground;
    await playground.typeInNewTab('{ subj');
    const completions = page.locator('.CodeMirror-hints');
    await completions.getByRole('option', { name: 'subjects', exact: true }).waitFor();
    await page.keyboard.press('ArrowDown');
    const information = completions.locator('.CodeMirror-hint-information');
    await information.getByText('SubjectConnection').waitFor();
    const description = await information.locator('.CodeMirror-hint-information-description').innerText();
    assert.equal(plain(description), await descriptionOf(gateway, 'Query', 'subjects'));
    await page.keyboard.press('Enter');
    await page.keyboard.type('(first: 100, orderBy: { field: NAME }) { nodes { source name');
    const { request, data, errors } = await playground.run();
    assert.match(request.postDataJSON().query, /\{ subjects\(first: 100, orderBy: \{ field: NAME \}\)/);
    assert.equal(errors, undefined);
    assert.deepEqual(new Set(data.subjects.nodes.map(({ source }) => source)), new Set(['HAUT_AI', 'BRAINSTEM']));
  });

  inPlayground('variables and headers are sent, and headers are not remembered', async (playground) => {
    const { page } = playground;
    await playground.typeInNewTab('');
    await page.getByRole('button', { name: 'Headers' }).click();
    await playground.type(playground.tool, '{"X-Asked-By": "a token"');
    await page.getByRole('button', { name: 'Variables' }).click();
    await playground.type(playground.tool, '{"first": 2');
    await playground.type(playground.query, 'query Some($first: Int) { subjects(first: $first) { nodes { id name');
    const remembers = (key) =>
      page.waitForFunction((key) => localStorage.getItem(key)?.includes('{ id name}}}'), key);
    // GraphiQL stores what was typed a moment later, the headers before the query; its history takes it from there.
    await remembers('graphiql:query');
    await remembers('graphiql:tabState');
    const { request, data } = await playground.run();
    assert.equal(data.subjects.nodes.length, 2);
    assert.equal(await request.headerValue('x-asked-by'), 'a token');
    await remembers('graphiql:queries');
    const remembered = () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
    assert.doesNotMatch(await page.evaluate(remembered), /a token|X-Asked-By/i);
    await playground.open();
    await playground.goTo('Some');
    const { request: again, data: same } = await playground.run();
    assert.deepEqual(same, data);
    assert.equal(await again.headerValue('x-asked-by'), null);
    assert.doesNotMatch(await page.evaluate(remembered), /a token|X-Asked-By/i);
  });

  inPlayground('the docs are searched by key, and read', async ({ page }) => {
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    const docs = page.getByRole('region', { name: 'Documentation Explorer' });
    await docs.getByRole('combobox').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('Subject');
    await docs.getByRole('option', { name: 'Subject', exact: true }).click();
    await docs.getByText('A research or study subject').waitFor();
    await docs.getByRole('link', { name: 'age', exact: true }).click();
    await docs.getByText('Duration', { exact: true }).waitFor();
    assert.ok(plain(await docs.innerText()).includes(await descriptionOf(gateway, 'Subject', 'age')));
  });

  inPlayground('the name of a source is no link', async ({ page }) => {
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.getByRole('link', { name: 'Query', exact: true }).click();
    const name = page.getByRole('link', { name: 'Haut.AI' }).first();
    const [own, around] = await name.evaluate((link) =>
      [link, link.parentElement].map((element) => getComputedStyle(element).color),
    );
    assert.equal(own, around);
    assert.equal(await name.evaluate((link) => getComputedStyle(link).pointerEvents), 'none');
  });

  inPlayground(
    'what is wrong with a query is shown as the GraphQL error that it is',
    async (playground) => {
      await playground.typeInNewTab('{ subjects { nodes { nonsense');
      await playground.page.keyboard.press('Escape');
      const { data, errors } = await playground.run();
      assert.equal(data, undefined);
      assert.deepEqual(
        errors.map(({ extensions }) => extensions.code),
        ['GRAPHQL_VALIDATION_FAILED'],
      );
      assert.match(errors[0].message, /nonsense/);
    },
    BAD_STATUS,
  );

  inPlayground('a subscription shows each event until it is stopped', async (playground) => {
    const { page, stopButton, executeButton } = playground;
    const list = '{ subjects(first: 2, filter: { sources: [BRAINSTEM] }) { nodes { id name } } }';
    const animals = await ask(gateway, list);
    const update = `mutation ($id: ID!) {
      subjectUpdate(id: $id, input: { brainStem: { description: "Changed" } }) { userErrors { message } }
    }`;
    await playground.goTo('Subscribe');
    await playground.subscribe();
    for (const subject of animals.data.subjects.nodes) {
      const { data } = await ask(gateway, update, { id: subject.id });
      assert.deepEqual(data.subjectUpdate.userErrors, []);
      const event = await playground.shows(`"id":"${subject.id}"`);
      const { at, ...change } = event.data.subjectChanged;
      assert.deepEqual(change, {
        kind: 'UPDATED',
        id: subject.id,
        subject: { source: 'BRAINSTEM', name: subject.name },
      });
      assert.ok(Date.parse(at) > 0, at);
    }
    // The button ends the connection, too.
    const ended = page.waitForEvent('requestfailed', (request) => request.url() === gateway.stream);
    await stopButton.click();
    await ended;
    await executeButton.waitFor();
    await playground.shows('"kind":"UPDATED"');
  });

  inPlayground('a subscription that is refused says why', async (playground) => {
    await playground.typeInNewTab('subscription { subjectChanged(ids: ["nonsense"]) { id');
    await playground.subscribe();
    const { errors } = await playground.shows('"errors"');
    assert.deepEqual(
      errors.map(({ extensions }) => extensions.code),
      ['BAD_USER_INPUT'],
    );
    await playground.executeButton.waitFor();
  });

  inPlayground(
    'what is not GraphQL is explained',
    async (playground) => {
      const answer = { status: 404, contentType: 'text/html', body: '<h1>Nothing here</h1>' };
      await playground.page.route(gateway.stream, (route) => route.fulfill(answer));
      await playground.goTo('Subscribe');
      await playground.subscribe();
      const { errors } = await playground.shows('"errors"');
      assert.deepEqual(errors, [
        { message: 'The answer is not GraphQL (HTTP 404 Not Found): <h1>Nothing here</h1>' },
      ]);
      await playground.executeButton.waitFor();
    },
    BAD_STATUS,
  );
});

test('a gateway that ends is told of', LIMIT, async (t) => {
  const gateway = await startGateway();
  t.after(() => gateway.stop());
  const use = async (playground) => {
    await playground.goTo('Subscribe');
    await playground.subscribe();
    await gateway.stop();
    const ended = await playground.shows('"errors"');
    assert.match(ended.errors[0].message, /^The gateway ended this subscription.* run it again/);
    await playground.executeButton.click();
    const { errors } = await playground.shows('did not answer');
    assert.deepEqual(errors, [{ message: 'The gateway did not answer (Failed to fetch). Is it still running?' }]);
  };
  await withPlayground(browser, gateway, 'a gateway that ends', use, /net::ERR_CONNECTION_REFUSED/);
});

test('with Haut.AI down the animals come, and the error', LIMIT, async (t) => {
  const gateway = await startGateway({ hautAi: 'down' });
  t.after(() => gateway.stop());
  await withPlayground(browser, gateway, 'Haut.AI down', async (playground) => {
    await playground.goTo('Find');
    const { data, errors } = await playground.run();
    assert.ok(data.subjects.nodes.length > 0);
    assert.ok(data.subjects.nodes.every(({ source }) => source === 'BRAINSTEM'));
    assert.deepEqual(
      errors.map(({ extensions: { code, source } }) => ({ code, source })),
      [{ code: 'UPSTREAM_UNAVAILABLE', source: 'HAUT_AI' }],
    );
  });
});

test('GATEWAY_PLAYGROUND=false takes the page away', LIMIT, async (t) => {
  const gateway = await startGateway({ env: { GATEWAY_PLAYGROUND: 'false' } });
  t.after(() => gateway.stop());
  for (const path of ['/', '/graphiql', '/graphiql/app.js', '/graphiql/graphiql.js']) {
    const { status } = await fetch(`${gateway.url}${path}`, { redirect: 'manual' });
    assert.equal(status, 404, path);
  }
  const { data } = await ask(gateway, '{ sources { source } }');
  assert.equal(data.sources.length, 2);
});
