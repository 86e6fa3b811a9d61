/** Two triangles between two corners in clip space. */
export const VERTEX_SHADER = `#version 300 es
uniform vec4 corners;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(mix(corners.xy, corners.zw, corner), 0.0, 1.0);
}`

/** How the fragment shader reads a frame: see {@link fragmentShader}. */
export type TextureLayout = 'I420' | 'NV12' | 'RGBA'

/** How samples become device pixels: one for one, interpolated, or four averaged. */
export type Sampling = 'exact' | 'interpolated' | 'averaged'

const SAMPLE: Record<TextureLayout, string> = {
  RGBA: `
uniform sampler2D plane0;
vec3 exact(vec2 at) { return texelFetch(plane0, texel(at), 0).rgb; }
vec3 interpolated(vec2 at) { return texture(plane0, at / size).rgb; }
vec3 finish(vec3 color, vec2 at) { return color; }`,
  I420: `
uniform sampler2D plane0, plane1, plane2;
vec2 chroma(vec2 at) { vec2 uv = sited(at) / vec2(textureSize(plane1, 0)); return vec2(texture(plane1, uv).r, texture(plane2, uv).r); }`,
  NV12: `
uniform sampler2D plane0, plane1;
vec2 chroma(vec2 at) { return texture(plane1, sited(at) / vec2(textureSize(plane1, 0))).rg; }`,
}

const PLANAR = `
uniform mat3 matrix;
uniform vec3 offset;
vec3 exact(vec2 at) { return vec3(texelFetch(plane0, texel(at), 0).r); }
vec3 interpolated(vec2 at) { return vec3(texture(plane0, at / size).r); }
vec3 finish(vec3 luma, vec2 at) { return matrix * (vec3(luma.r, chroma(at)) - offset); }`

/**
 * Draws one frame. `at` is the position in the frame, in encoded pixels from its top left corner.
 *
 * At 1:1 every device pixel takes exactly one luma sample, unfiltered. Enlarged, samples are
 * interpolated; reduced, four of them are averaged. Chroma has half the resolution and is always
 * interpolated, for samples sited at the left of each pair and between two rows, which is what H.264
 * streams that say nothing mean.
 *
 * One program per way of sampling: on a software renderer, a branch costs a quarter more.
 *
 * @see ITU-T H.264 (08/2021) figure E-1, chroma_sample_loc_type 0
 */
export function fragmentShader(layout: TextureLayout, sampling: Sampling): string {
  return `#version 300 es
precision highp float;
precision highp sampler2D;
uniform vec2 origin;
uniform float canvasHeight;
uniform vec2 magnification;
uniform vec2 size;
out vec4 color;
ivec2 texel(vec2 at) { return clamp(ivec2(floor(at)), ivec2(0), ivec2(size) - 1); }
vec2 sited(vec2 at) { return vec2(at.x * 0.5 + 0.25, at.y * 0.5); }
${SAMPLE[layout]}${layout === 'RGBA' ? '' : PLANAR}
vec3 averaged(vec2 at) {
  vec2 d = 0.25 / magnification;
  return 0.25 * (interpolated(at - d) + interpolated(at + d) + interpolated(at + vec2(d.x, -d.y)) + interpolated(at + vec2(-d.x, d.y)));
}
void main() {
  vec2 at = (vec2(gl_FragCoord.x, canvasHeight - gl_FragCoord.y) - origin) / magnification;
  color = vec4(finish(${sampling}(at), at), 1.0);
}`
}
