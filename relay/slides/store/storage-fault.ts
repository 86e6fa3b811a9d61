import { RelayFault, toFault } from '../../wire/fault.ts'

/** @see https://www.sqlite.org/rescode.html */
const SQLITE_FULL = 13
const SQLITE_IOERR_SHMSIZE = 4874
const FULL_DISK: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** What an error of the file system or of SQLite means to a caller: `storage_full` when there is no room, else as `toFault` says. */
export function toStorageFault(thrown: unknown): RelayFault {
  if (thrown instanceof RelayFault || !(thrown instanceof Error)) return toFault(thrown)
  const { code, errcode } = thrown as Error & { readonly code?: unknown; readonly errcode?: unknown }
  const isFull = FULL_DISK.includes(code) || (typeof errcode === 'number' && ((errcode & 0xff) === SQLITE_FULL || errcode === SQLITE_IOERR_SHMSIZE))
  if (!isFull && typeof errcode === 'number') return new RelayFault('internal', `SQLite failed with ${errcode}`, { cause: thrown })
  return isFull ? new RelayFault('storage_full', 'the disk is full', { cause: thrown }) : toFault(thrown)
}
