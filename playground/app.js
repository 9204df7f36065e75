// Starts GraphiQL. In a file of its own, so that the page's policy can forbid inline scripts.
'use strict';

(() => {
  const container = document.getElementById('playground');

  // Says what is wrong in the page: nobody should need the console to find out.
  function fail(title, details) {
    const notice = document.createElement('div');
    notice.className = 'notice';
    notice.setAttribute('role', 'alert');
    const heading = document.createElement('h1');
    heading.textContent = title;
    notice.append(heading);
    for (const detail of details) {
      const line = document.createElement('p');
      line.textContent = detail;
      notice.append(line);
    }
    container.replaceChildren(notice);
  }

  // The first file that did not arrive, or arrived and did not do what it is for. Those after it need it.
  function missingFile() {
    const globals = { 'react.js': 'React', 'react-dom.js': 'ReactDOM', 'graphiql.js': 'GraphiQL' };
    const isMissing = (element) =>
      element.tagName === 'LINK' ? !element.sheet?.cssRules.length : !window[globals[element.dataset.file]];
    const element = [...document.querySelectorAll('[data-file]')].find(isMissing);
    return element && new URL(element.href ?? element.src);
  }

  function explain(missing) {
    const reason =
      missing.origin === location.origin
        ? 'Reload the page. If that does not help, something between the browser and the gateway holds the file back.'
        : `This gateway was built without the playground's files, so the browser needs to reach ${missing.host}.`;
    fail('The playground is incomplete', [`This file did not load: ${missing.origin}${missing.pathname}`, reason]);
  }

  function send(path, accept, params, headers, signal) {
    return fetch(new URL(path, document.baseURI), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers, Accept: accept },
      body: JSON.stringify(params),
      signal,
    });
  }

  // Returned, not thrown: GraphiQL shows a thrown error with its stack.
  function problem(message) {
    return { errors: [{ message }] };
  }

  function noAnswer(error) {
    return problem(`The gateway did not answer (${error.message}). Is it still running?`);
  }

  // GraphQL errors are shown as they are, whatever the status; what is not GraphQL is explained.
  async function result(response) {
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      const status = `HTTP ${response.status} ${response.statusText}`.trim();
      return problem(`The answer is not GraphQL (${status}): ${text.slice(0, 500) || 'it is empty'}`);
    }
  }

  // One event of a server-sent stream: its name and its data.
  function parseEvent(block) {
    const event = { name: 'message', data: '' };
    for (const line of block.split('\n')) {
      if (line.startsWith('event:')) event.name = line.slice(6).trim();
      if (line.startsWith('data:')) event.data += line.slice(5).trim();
    }
    return event;
  }

  function unfinished(error) {
    const why = error ? ` (${error.message})` : '';
    return problem(
      `The gateway ended this subscription${why}, as it does when it shuts down. What happens from now on is not ` +
        'told: run it again, and read anew what you show.',
    );
  }

  async function* listen(params, headers, signal) {
    let hasBegun = false;
    try {
      const response = await send('graphql/stream', 'text/event-stream', params, headers, signal);
      if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
        yield await result(response);
        return;
      }
      hasBegun = true;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const blocks = (buffer + value).replaceAll('\r\n', '\n').split('\n\n');
        buffer = blocks.pop();
        for (const event of blocks.map(parseEvent)) {
          if (event.name === 'complete') return;
          if (event.name === 'next') yield JSON.parse(event.data);
        }
      }
      yield unfinished();
    } catch (error) {
      if (!signal.aborted) yield hasBegun ? unfinished(error) : noAnswer(error);
    }
  }

  // Subscriptions, over server-sent events: unlike a WebSocket, they carry the headers of the editor.
  function subscribe(params, headers) {
    const stop = new AbortController();
    const answers = listen(params, headers, stop.signal);
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => answers.next(),
      // A generator that waits for an event can't be left: what it waits for has to end.
      return() {
        stop.abort();
        return answers.return();
      },
    };
  }

  // What to send, and whether it is a subscription. Read from the query itself: for a moment after a change of tabs,
  // what GraphiQL says beside it still belongs to the tab before.
  function read(params) {
    const { parse, getOperationAST, Kind } = window.GraphiQL.GraphQL;
    let document;
    try {
      document = parse(params.query);
    } catch {
      return { params, isSubscription: false }; // The gateway says what is wrong.
    }
    const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    const operationName = operations.length === 1 ? operations[0].name?.value : params.operationName;
    const operation = getOperationAST(document, operationName);
    return { params: { ...params, operationName }, isSubscription: operation?.operation === 'subscription' };
  }

  async function fetcher(asked, options) {
    const headers = options?.headers ?? {};
    const { params, isSubscription } = read(asked);
    if (isSubscription) return subscribe(params, headers);
    try {
      const accept = 'application/graphql-response+json, application/json';
      return await result(await send('graphql', accept, params, headers));
    } catch (error) {
      return noAnswer(error);
    }
  }

  // GraphiQL names Ctrl-K as the key for it, but listens for that of a Mac alone.
  function searchByKey(event) {
    const search = document.querySelector('.graphiql-doc-explorer input');
    if (!search || !event.ctrlKey || event.key !== 'k') return;
    event.preventDefault();
    search.focus();
  }

  // The browser's storage, without the headers that GraphiQL's history would keep there: they carry tokens.
  function storage() {
    let local;
    try {
      local = window.localStorage;
    } catch {
      return null; // Forbidden by the browser's settings: nothing is remembered.
    }
    const withoutHeaders = (text) =>
      JSON.stringify(JSON.parse(text), (key, value) => (key === 'headers' ? null : value));
    const isHistory = (key) => key === 'graphiql:queries' || key === 'graphiql:favorites';
    return {
      get length() {
        return local.length;
      },
      getItem: (key) => local.getItem(key),
      setItem: (key, text) => local.setItem(key, isHistory(key) ? withoutHeaders(text) : text),
      removeItem: (key) => local.removeItem(key),
      clear: () => local.clear(),
    };
  }

  function start() {
    const missing = missingFile();
    if (missing) {
      explain(missing);
      return;
    }
    const { React, ReactDOM, GraphiQL } = window;
    const tabs = JSON.parse(document.getElementById('tabs').textContent);
    window.addEventListener('keydown', searchByKey);
    ReactDOM.createRoot(container).render(
      React.createElement(
        GraphiQL,
        {
          fetcher,
          defaultTabs: tabs,
          // What a new tab starts with: not GraphiQL's own welcome, which names keys and no schema.
          defaultQuery: '# Ctrl-Space completes, Ctrl-Enter runs.\n\n',
          defaultEditorToolsVisibility: true,
          isHeadersEditorEnabled: true,
          // Tokens stay out of the browser's storage; the settings then offer no way to put them there.
          shouldPersistHeaders: false,
          storage: storage(),
        },
        React.createElement(GraphiQL.Logo, null, 'subject-gateway'),
      ),
    );
  }

  try {
    start();
  } catch (error) {
    fail('The playground did not start', [String(error)]);
  }
})();
