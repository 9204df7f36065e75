// The blocks of docs/frontend.md that have a name, so that what people copy is what the tests run.
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const HERE = import.meta.dirname;
const PAGE = path.join(HERE, '../../docs/frontend.md');
const ADDRESS = '127.0.0.1:8080';

/** A block by the name in the comment above it, with the gateway's own address. */
export async function block(name, { url }) {
  const page = await readFile(PAGE, 'utf8');
  const [, , text] = page.match(new RegExp(`<!-- ${name.replace('.', '\\.')} -->\n\`\`\`(\\w+)\n([^]*?)\`\`\``)) ?? [];
  if (!text) throw new Error(`docs/frontend.md has no block ${name}`);
  return text.replaceAll(ADDRESS, new URL(url).host);
}

/** A directory of its own with the packages installed, as an application has it. */
export async function newProject(t) {
  const directory = await mkdtemp(path.join(tmpdir(), 'subject-gateway-clients-'));
  t.after(() => rm(directory, { recursive: true }));
  await symlink(path.join(HERE, 'node_modules'), path.join(directory, 'node_modules'));
  await writeFile(path.join(directory, 'package.json'), '{"type": "module"}');
  return directory;
}

/** What a block that is a module exports. */
export async function load(t, name, gateway) {
  const file = path.join(await newProject(t), name);
  await writeFile(file, await block(name, gateway));
  return import(pathToFileURL(file));
}
