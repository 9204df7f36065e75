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

  // The addresses of the files that did not arrive, or arrived and did not do what they are for.
  function missingFiles() {
    const globals = { 'react.js': 'React', 'react-dom.js': 'ReactDOM', 'graphiql.js': 'GraphiQL' };
    return [...document.querySelectorAll('[data-file]')]
      .filter((element) =>
        element.tagName === 'LINK' ? !element.sheet : !window[globals[element.dataset.file]],
      )
      .map((element) => element.href || element.src);
  }

  async function send(path, accept, params, headers, signal) {
    let response;
    try {
      response = await fetch(new URL(path, document.baseURI), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers, Accept: accept },
        body: JSON.stringify(params),
        signal,
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Error('The gateway did not answer. Is it still running?', { cause: error });
    }
    return response;
  }

  // GraphQL errors are shown as they are, whatever the status; anything else that is not GraphQL is explained.
  async function result(response) {
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      const what = `HTTP ${response.status} ${response.statusText}`.trim();
      throw new Error(`The answer is not GraphQL (${what}): ${text.slice(0, 500) || 'it is empty'}`);
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

  // Subscriptions, over server-sent events: unlike a WebSocket, they carry the headers of the editor.
  async function* subscribe(params, headers) {
    const stop = new AbortController();
    try {
      const response = await send('graphql/stream', 'text/event-stream', params, headers, stop.signal);
      if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
        yield await result(response);
        return;
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const blocks = (buffer + value).replaceAll('\r\n', '\n').split('\n\n');
        buffer = blocks.pop();
        for (const event of blocks.map(parseEvent)) {
          if (event.name === 'complete') return;
          if (event.name === 'next') yield JSON.parse(event.data);
        }
      }
    } finally {
      stop.abort();
    }
  }

  function isSubscription(params, document) {
    return (document?.definitions ?? []).some(
      (definition) =>
        definition.operation === 'subscription' &&
        (!params.operationName || definition.name?.value === params.operationName),
    );
  }

  async function fetcher(params, options) {
    const headers = options?.headers ?? {};
    if (isSubscription(params, options?.documentAST)) return subscribe(params, headers);
    return result(
      await send('graphql', 'application/graphql-response+json, application/json', params, headers),
    );
  }

  function start() {
    const missing = missingFiles();
    if (missing.length > 0) {
      fail('The playground could not be loaded', [
        `Missing: ${missing.join(', ')}`,
        'Reload the page. If that does not help, something between the browser and the server holds these files back.',
      ]);
      return;
    }
    const { React, ReactDOM, GraphiQL } = window;
    const tabs = JSON.parse(document.getElementById('tabs').textContent);
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
          // Tokens stay out of the browser's storage.
          shouldPersistHeaders: false,
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
