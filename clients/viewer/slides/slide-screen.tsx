import type { ComponentChildren, JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Language } from '../i18n.ts'
import { text } from '../i18n.ts'
import { toggleFullScreen } from '../interface/full-screen.ts'
import { Gestures } from '../view/gestures.ts'
import { AnnotationLayer, DrawingLayer } from './annotation-layer.tsx'
import { ANNOTATION_KINDS } from './annotations.ts'
import type { OpenSlide, SlideDesk } from './slide-desk.ts'
import { SlideDrawer } from './slide-drawer.tsx'
import { HeatLine, ScaleBar, SlideBadge } from './slide-tidings.tsx'
import type { SlideTool, SlideTools } from './slide-tools.ts'
import { slideText } from './slide-words.ts'
import type { StillsPart } from '../stills/stills-part.ts'

/** What the slides' part of the page is made from. */
export interface SlideScreenProperties {
  readonly desk: SlideDesk
  readonly tools: SlideTools
  readonly stills: StillsPart
  readonly language: Language
  readonly onLanguage: () => void
}

/** Outlines on a grid of 16, because no font has all of these signs. */
const ICONS = {
  hand: 'M8 2v12M2 8h12M6 4l2-2 2 2M6 12l2 2 2-2M4 6L2 8l2 2M12 6l2 2-2 2',
  point: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  rectangle: 'M2.5 4.5h11v7h-11z',
  polygon: 'M8 2.5l5.5 4-2 6.5h-7l-2-6.5z',
  freehand: 'M2 11c2-6 4-8 5-6s-3 6-1 7 4-4 8-7',
  text: 'M3.5 3.5h9M8 3.5v9',
  undo: 'M6 3L3 6l3 3M3 6h6a4 4 0 0 1 0 8H6',
  export: 'M8 2v8M5 7l3 3 3-3M3 13h10',
  fit: 'M2.5 4.5h11v7h-11zM5 7h6v2H5z',
  fullscreen: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  list: 'M2 4h12M2 8h12M2 12h12',
} as const satisfies Record<SlideTool, string> & Record<string, string>

function Icon({ name }: { readonly name: keyof typeof ICONS }): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" width="15" height="15" fill="none" stroke="currentColor" stroke-width="1.3" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  )
}

function Button(props: { readonly name: string; readonly isPressed?: boolean; readonly isDisabled?: boolean; readonly onPress: () => void; readonly children: ComponentChildren }): JSX.Element {
  return (
    <button type="button" aria-label={props.name} title={props.name} aria-pressed={props.isPressed} disabled={props.isDisabled} onClick={props.onPress}>
      {props.children}
    </button>
  )
}

/** The pixels and what lies on them. Gestures are those of the live image. */
function Surface({ open, desk, tools, language }: SlideScreenProperties & { readonly open: OpenSlide }): JSX.Element {
  const surface = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = surface.current
    if (element === null) return
    element.prepend(open.element)
    new Gestures(element, open.view)
    element.focus()
    return () => open.element.remove()
  }, [open])
  return (
    <div class="slide-surface" ref={surface} tabIndex={0}>
      <AnnotationLayer open={open} desk={desk} tools={tools} />
      {tools.tool.value !== 'hand' && <DrawingLayer open={open} tools={tools} language={language} />}
    </div>
  )
}

function Controls({ open, tools, language, onLanguage }: SlideScreenProperties & { readonly open: OpenSlide }): JSX.Element {
  const { view } = open
  return (
    <div class="controls" role="toolbar" aria-label={text(language, 'controls')}>
      <Button name={slideText(language, 'slides')} isPressed={tools.isDrawerOpen.value} onPress={() => (tools.isDrawerOpen.value = !tools.isDrawerOpen.value)}><Icon name="list" /></Button>
      <Button name={text(language, 'zoomIn')} onPress={() => view.zoom(2 ** 0.5)}>+</Button>
      <Button name={text(language, 'zoomOut')} onPress={() => view.zoom(2 ** -0.5)}>−</Button>
      <Button name={text(language, 'fit')} onPress={() => view.fit()}><Icon name="fit" /></Button>
      <Button name={text(language, 'oneToOne')} isPressed={view.viewport.value?.scale === 1} onPress={() => view.zoomTo(1)}>1:1</Button>
      <Button name={text(language, 'fullscreen')} onPress={() => toggleFullScreen()}><Icon name="fullscreen" /></Button>
      <Button name={text(language, 'language')} onPress={onLanguage}>{text(language, 'language')}</Button>
      <Button name={text(language, 'help')} isPressed={tools.isHelpOpen.value} onPress={() => (tools.isHelpOpen.value = !tools.isHelpOpen.value)}>?</Button>
    </div>
  )
}

function Toolbar({ open, desk, tools, language }: SlideScreenProperties & { readonly open: OpenSlide }): JSX.Element {
  return (
    <div class="slide-tools" role="toolbar" aria-label={slideText(language, 'tools')}>
      {(desk.mayAnnotate ? (['hand', ...ANNOTATION_KINDS] as const) : []).map(tool => (
        <Button key={tool} name={slideText(language, tool)} isPressed={tools.tool.value === tool} onPress={() => tools.take(tool)}>
          <Icon name={tool} />
        </Button>
      ))}
      {desk.mayAnnotate && <Button name={slideText(language, 'undo')} isDisabled={!open.annotations.canUndo.value} onPress={() => open.annotations.undo()}><Icon name="undo" /></Button>}
      <Button name={slideText(language, 'export')} onPress={() => tools.export()}><Icon name="export" /></Button>
    </div>
  )
}

/** Who leads, and whether this viewer does or follows. */
function Together({ desk, language }: SlideScreenProperties): JSX.Element {
  const mode = desk.follow.value
  const led = desk.channel.led.value
  const name = led?.memberId ?? ''
  const key = mode === 'leading' ? 'stopLeading' : mode === 'following' ? 'stopFollowing' : led === null ? 'lead' : 'follow'
  return (
    <div class={`together ${mode}`} data-follow={mode}>
      {(key !== 'lead' || desk.channel.mayLead) && <button type="button" onClick={() => desk.toggleFollow()}>{slideText(language, key, name)}</button>}
      {mode === 'free' && led !== null && desk.channel.mayLead && <button type="button" onClick={() => desk.takeLead()}>{slideText(language, 'lead')}</button>}
    </div>
  )
}

/** Keys and gestures, one a line. */
function SlideHelp({ language }: { readonly language: Language }): JSX.Element {
  const lines = [text(language, 'helpWheel'), text(language, 'helpDrag'), text(language, 'helpDouble'), ...slideText(language, 'help').split(' · ')]
  return (
    <ul class="sheet slide-help">
      {lines.map(line => <li key={line}>{line}</li>)}
    </ul>
  )
}

/** Everything about slides: the list alone over the live image, or a slide in its place. */
export function SlideScreen(props: SlideScreenProperties): JSX.Element {
  const { desk, tools, language } = props
  const open = desk.open.value
  return (
    <div class={open === null ? 'slides' : 'slides open'}>
      {open !== null && <Surface key={open.slideId} {...props} open={open} />}
      {open !== null && (
        <>
          <div class="tidings">
            <SlideBadge view={open.view} language={language} />
            <HeatLine view={open.view} language={language} />
            {open.annotations.fault.value !== null && <div class="badge refused">{slideText(language, 'fault', open.annotations.fault.value.code)}</div>}
          </div>
          <Controls {...props} open={open} />
          <Toolbar {...props} open={open} />
          <ScaleBar view={open.view} language={language} />
          <Together {...props} />
          {tools.isHelpOpen.value && <SlideHelp language={language} />}
        </>
      )}
      {tools.isDrawerOpen.value && <SlideDrawer desk={desk} stills={props.stills} language={language} />}
    </div>
  )
}
