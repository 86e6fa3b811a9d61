import { z } from 'zod'
import { MAX_PATHS, PathContract, sharesPathName } from '../../relay/wire/link.ts'

/**
 * Reads the paths of a link as a person writes them: `name`, `name=localAddress`, `name@remoteHost` or both, separated
 * by commas, the preferred one first.
 *
 * @param context - Of zod, which collects mistakes.
 */
export function parseLinkPaths(text: string, context: z.RefinementCtx): PathContract[] {
  const words = text.split(',').map(word => word.trim())
  const paths = words.map(word => {
    const [, name, localAddress, remoteHost] = /^([^=@]*)(?:=([^@]*))?(?:@(.*))?$/.exec(word) ?? []
    return PathContract.safeParse({ name, ...(localAddress === undefined ? {} : { localAddress }), ...(remoteHost === undefined ? {} : { remoteHost }) })
  })
  const isRight = paths.every(path => path.success) && paths.length <= MAX_PATHS && !sharesPathName(paths.map(path => path.data))
  if (isRight) return paths.map(path => path.data)
  context.addIssue({ code: 'custom', message: `expected 1 to ${MAX_PATHS} paths such as "main=192.0.2.10,spare=198.51.100.7@node2.example.org"` })
  return z.NEVER
}
