import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { LooseCa } from '../../test/harness/test-ca.ts'
import { TlsFiles } from './tls-files.ts'

const root = await LooseCa.create()

t.test('files that are replaced are read anew, and the material is the same object until then', async t => {
  const folder = t.testdir()
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const replace = async (path: string, content: string): Promise<void> => {
    await writeFile(`${path}.new`, content)
    await rename(`${path}.new`, path)
  }
  const [first, second] = await Promise.all([root.member(), root.member()])
  await Promise.all([writeFile(certFile, first.cert), writeFile(keyFile, first.key)])
  const files = new TlsFiles({ certFile, keyFile })
  const before = files.read()
  t.equal(String(before.cert), first.cert)
  t.equal(files.read(), before)
  await replace(certFile, second.cert)
  t.equal(files.read(), before, 'a certificate without its key yet is not used')
  await replace(keyFile, second.key)
  t.equal(String(files.read().cert), second.cert)
  await replace(certFile, 'nonsense')
  t.equal(String(files.read().cert), second.cert)
})

t.test('what never could be used is refused', async t => {
  const folder = t.testdir()
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const [first, second] = await Promise.all([root.member(), root.member()])
  await Promise.all([writeFile(certFile, first.cert), writeFile(keyFile, second.key)])
  t.throws(() => new TlsFiles({ certFile, keyFile }).read(), { code: 'bad_config' })
  t.throws(() => new TlsFiles({ certFile }).read(), { code: 'bad_config' })
  t.throws(() => new TlsFiles({ caFile: join(folder, 'none.pem') }).read(), { code: 'bad_config' })
  t.same(new TlsFiles({}).read(), {})
})
