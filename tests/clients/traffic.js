// Watches what a client library sends, since a library's result alone does not tell how it came about.

/** One request and its answer: `body` is the request's JSON, `answer` the answer's. */
async function exchange(input, init) {
  const request = new Request(input, init);
  const text = await request.clone().text();
  const response = await fetch(request);
  const answer = await response.clone().text();
  return {
    response,
    seen: {
      method: request.method,
      url: new URL(request.url),
      body: text === '' ? undefined : JSON.parse(text),
      status: response.status,
      headers: response.headers,
      answer: answer === '' ? undefined : JSON.parse(answer),
    },
  };
}

/** A `fetch` for a client library, and the list of what went through it, oldest first. */
export function watchedFetch() {
  const traffic = [];
  const watched = async (input, init) => {
    const { response, seen } = await exchange(input, init);
    traffic.push(seen);
    return response;
  };
  return { fetch: watched, traffic };
}
