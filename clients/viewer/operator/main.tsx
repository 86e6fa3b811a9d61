import '../jitless.ts'
import { render } from 'preact'
import { OperatorPage } from './operator-page.tsx'
import { OperatorState } from './operator-state.ts'

const state = new OperatorState()
render(<OperatorPage state={state} />, document.getElementById('app') ?? document.body)
state.run()
