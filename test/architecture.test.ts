import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { t } from 'tap'

const root = resolve(import.meta.dirname, '..')

/** Which folders a folder may import from, besides itself. The longest matching prefix rules. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'relay/wire': [],
  'relay/runtime': ['relay/wire'],
  'relay/access': ['relay/runtime', 'relay/wire'],
  'relay/audit': ['relay/runtime', 'relay/wire'],
  'relay/core': ['relay/access', 'relay/audit', 'relay/runtime', 'relay/wire'],
  'relay/links': ['relay/runtime', 'relay/wire'],
  'relay/slides': ['relay/runtime', 'relay/wire', 'relay/slides/formats'],
  'relay/recordings': ['relay/wire'],
  'relay/slides/formats': ['relay/runtime', 'relay/wire', 'relay/slides'],
  sfu: ['relay'],
  'clients/capture': ['relay/wire', 'relay/runtime', 'relay/links', 'relay/recordings', 'relay/slides/formats'],
  'clients/scanner': ['relay/wire', 'relay/runtime', 'relay/links', 'relay/slides'],
  'clients/viewer': ['relay/wire'],
  bench: ['relay', 'sfu', 'clients', 'scripts'],
  scripts: ['relay', 'sfu', 'clients', 'bench'],
  test: ['relay', 'sfu', 'clients', 'bench', 'scripts'],
}

/** Packages that only one part of the project may know. */
const PACKAGES: readonly { readonly name: RegExp; readonly only: readonly string[] }[] = [
  { name: /^mediasoup$|^mediasoup\//, only: ['sfu', 'test', 'bench'] },
  { name: /^werift/, only: ['clients/capture', 'test', 'bench'] },
  { name: /^(fluent-ffmpeg|ffmpeg-static)$/, only: ['clients/capture', 'scripts', 'bench', 'test'] },
  { name: /^mediasoup-client|^preact|^@preact/, only: ['clients/viewer'] },
]

const IMPORT = /(?:^|\n)\s*(?:import|export)\s[^'"\n]*?(?:\n[^'"]*?)?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g

interface Import {
  readonly file: string
  readonly specifier: string
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(IMPORT)].map(match => ({ file, specifier: match[1] ?? match[2] ?? match[3] ?? '' }))
}

const files = globSync('{relay,sfu,clients,bench,scripts,test}/**/*.{ts,tsx,mjs}', {
  cwd: root,
  exclude: name => /node_modules|dist$/.test(name),
})
const imports = files.flatMap(importsOf)

/** The rule a file stands under: `relay/wire` for `relay/wire/ids.ts`. */
function ruleOf(path: string): string {
  const rules = Object.keys(ARROWS).filter(prefix => path === prefix || path.startsWith(`${prefix}/`))
  return rules.sort((a, b) => b.length - a.length)[0] ?? ''
}

const isTest = (file: string): boolean => /\.test\.tsx?$/.test(file)

t.test('the reader of imports finds them', async t => {
  t.ok(files.length > 40, 'there are files to look at')
  t.ok(imports.some(({ file, specifier }) => file === 'sfu/node.ts' && specifier === './worker-pool.ts'))
})

t.test('every source file stands under a rule', async t => {
  t.same(files.filter(file => ruleOf(file) === ''), [])
})

t.test('imports between folders follow the arrows', async t => {
  const broken = imports.filter(({ file, specifier }) => {
    if (!specifier.startsWith('.')) return false
    const target = relative(root, resolve(root, dirname(file), specifier))
    const from = ruleOf(file)
    const to = ruleOf(target)
    // A test beside the code may use fakes, and what it needs to make input with.
    if (isTest(file)) return false
    return from !== to && !(ARROWS[from] ?? []).some(allowed => to === allowed || to.startsWith(`${allowed}/`))
  })
  t.same(broken, [])
})

t.test('relay/wire runs in a browser: no node: module, no package but zod', async t => {
  const foreign = imports.filter(
    ({ file, specifier }) => file.startsWith('relay/wire/') && !isTest(file) && !specifier.startsWith('.') && specifier !== 'zod',
  )
  t.same(foreign, [])
})

t.test('packages stay in the folder that knows them', async t => {
  const strays = imports.filter(({ file, specifier }) =>
    PACKAGES.some(({ name, only }) => name.test(specifier) && !only.some(folder => file.startsWith(`${folder}/`))),
  )
  t.same(strays, [])
})

t.test('nothing but scripts, bench and test imports a script', async t => {
  const strays = imports.filter(({ file, specifier }) => {
    const target = relative(root, resolve(root, dirname(file), specifier))
    return specifier.startsWith('.') && target.startsWith('scripts/') && !/^(scripts|bench|test)\//.test(file)
  })
  t.same(strays, [])
})

t.test('only verifiers of invitations and grants make admissions', async t => {
  const makers = files.filter(file => !isTest(file) && /\bmintAdmission\b/.test(readFileSync(join(root, file), 'utf8')))
  t.same(makers.sort(), ['relay/access/grants/grant-registry.ts', 'relay/access/invitation.ts'])
})
