import type { InspectedSlide } from './inspected-slide.ts'
import type { SlideDesk } from './slide-desk.ts'

/** What is known of the open slide now; null while the live image is shown. */
export function inspectSlide(desk: SlideDesk): InspectedSlide | null {
  const open = desk.open.value
  if (open === null) return null
  const { view, annotations, slideId } = open
  return {
    slideId,
    state: view.state.value,
    image: view.image,
    viewport: { ...view.visible, scale: view.viewport.value?.scale ?? 0 },
    truth: view.truth.value,
    arrivedShare: view.share.value,
    firstSharpMillis: view.firstSharpMillis,
    sharpMillis: view.sharpMillis,
    annotations: annotations.features.value.length,
    pointers: desk.pointers.value.map(({ memberId, at }) => ({ memberId, ...at })),
    follow: desk.follow.value,
    fault: view.fault.value?.code ?? annotations.fault.value?.code ?? null,
  }
}
