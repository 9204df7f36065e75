// Drives the playground in Chromium, as somebody at a keyboard would.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PATIENCE_MS = 15_000;

/** Chromium without a profile, and without anything that it asks of the network by itself. */
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/**
 * Opens the playground in a browser without memory, hands it to `use` and closes it.
 *
 * Fails when the page asked anything of another origin, or when the console has what `expected` does not match: errors,
 * warnings, breaches of the page's policy. With SCREENSHOTS set to a directory, the page as it is in the end is kept
 * there under `name`.
 */
export async function withPlayground(browser, gateway, name, use, expected = /^$/) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const playground = new Playground(page, gateway);
    await playground.open();
    await use(playground);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
    assert.deepEqual(playground.outside, []);
    assert.deepEqual(
      playground.console.filter((line) => !expected.test(line)),
      [],
    );
  } finally {
    await context.close();
  }
}

class Playground {
  // Requests to other origins.
  outside = [];
  console = [];

  constructor(page, gateway) {
    this.page = page;
    this.gateway = gateway;
    this.query = page.getByRole('region', { name: 'Query Editor' }).locator('.CodeMirror');
    // Variables or headers, whichever is chosen.
    this.tool = page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .CodeMirror');
    this.executeButton = page.getByRole('button', { name: 'Execute query' });
    this.stopButton = page.getByRole('button', { name: 'Stop query' });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith('data:') && new URL(url).origin !== gateway.url) this.outside.push(url);
    });
    page.on('websocket', (socket) => this.outside.push(socket.url()));
    page.on('pageerror', (error) => this.console.push(`thrown: ${error.message}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.console.push(message.text());
    });
  }

  async open() {
    await this.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
        console.error(`policy: ${effectiveDirective} forbids ${blockedURI}`),
      );
    });
    const introspected = this.page.waitForResponse(this.gateway.graphql);
    await this.page.goto(this.gateway.url);
    await this.query.waitFor();
    await (await introspected).finished();
  }

  tabs() {
    return this.page.getByRole('tab').allInnerTexts();
  }

  async goTo(tab) {
    await this.page.getByRole('tab').getByRole('button', { name: tab, exact: true }).click();
  }

  /** Types as on a keyboard: brackets close by themselves, completion opens. */
  async type(editor, text) {
    await editor.click();
    await this.page.keyboard.press('Control+End');
    await this.page.keyboard.type(text);
  }

  async typeInNewTab(text) {
    await this.page.getByRole('button', { name: 'New tab' }).click();
    await this.type(this.query, text);
  }

  /** Presses Ctrl-Enter, and waits until what came is shown. */
  async run() {
    const answered = this.page.waitForResponse(this.gateway.graphql);
    await this.query.click();
    await this.page.keyboard.press('Control+Enter');
    const response = await answered;
    const answer = await response.json();
    await this.shows(JSON.stringify(answer));
    await this.executeButton.waitFor();
    return { request: response.request(), ...answer };
  }

  /** Presses Ctrl-Enter on a subscription, and waits until it has begun. */
  async subscribe() {
    const answered = this.page.waitForResponse(this.gateway.stream);
    await this.query.click();
    await this.page.keyboard.press('Control+Enter');
    return (await answered).request();
  }

  /** Waits until the answer that is shown has this in it, as JSON without blanks; returns the answer. */
  async shows(part) {
    const handle = await this.page.waitForFunction((part) => {
      // The document has only the lines in view; the editor has all.
      const text = document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue();
      const answer = text?.startsWith('{') && JSON.parse(text);
      return answer && JSON.stringify(answer).includes(part) && answer;
    }, part);
    return handle.jsonValue();
  }
}
