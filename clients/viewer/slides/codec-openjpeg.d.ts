/** What is used of OpenJPEG as WebAssembly; the package has no types. */
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  /** Decodes one picture; in the module's memory until it is deleted. */
  export interface J2KDecoder {
    /** Room for the encoded bytes, in the module's memory. */
    getEncodedBuffer(length: number): Uint8Array
    decode(): void
    /** Interleaved samples, in the module's memory: gone with the decoder. */
    getDecodedBuffer(): Uint8Array
    getFrameInfo(): { readonly width: number; readonly height: number; readonly bitsPerSample: number; readonly componentCount: number; readonly isSigned: boolean }
    delete(): void
  }
  /** The module, compiled. */
  export interface OpenJpeg {
    readonly J2KDecoder: new () => J2KDecoder
  }
  const open: (options: { locateFile: (name: string) => string }) => Promise<OpenJpeg>
  export default open
}

declare module '@cornerstonejs/codec-openjpeg/decodewasm?url' {
  const url: string
  export default url
}
