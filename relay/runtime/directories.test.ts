import { t } from 'tap'
import { cacheDirectory, stateDirectory } from './directories.ts'

t.test('follows the XDG variables, and only absolute ones', async t => {
  t.equal(cacheDirectory({ XDG_CACHE_HOME: '/c', HOME: '/h' }), '/c/kenkyo')
  t.equal(stateDirectory({ XDG_STATE_HOME: '/s', HOME: '/h' }), '/s/kenkyo')
  for (const XDG of ['', 'relative', undefined]) {
    t.equal(cacheDirectory({ XDG_CACHE_HOME: XDG, HOME: '/h' }), '/h/.cache/kenkyo')
    t.equal(stateDirectory({ XDG_STATE_HOME: XDG, HOME: '/h' }), '/h/.local/state/kenkyo')
  }
})
