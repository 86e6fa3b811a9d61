import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/**
 * The page is served by the node at `/` under a content security policy without inline scripts, so
 * nothing is inlined and every address is relative to the page.
 */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: ['chrome111', 'firefox128', 'safari17'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    sourcemap: true,
    // The viewer, which nodes serve, and the operators' page, which the core does.
    rolldownOptions: { input: ['index.html', 'operator.html'].map(name => fileURLToPath(new URL(name, import.meta.url))) },
  },
  worker: { format: 'es' },
})
