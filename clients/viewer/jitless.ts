/**
 * Import this before anything that makes zod schemas: it keeps zod from compiling them, which the page's
 * content security policy forbids (zod would notice and fall back, but not without a console error).
 */
import { config } from 'zod'

config({ jitless: true })
