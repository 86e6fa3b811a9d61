/** Now, in milliseconds since the epoch on the page's monotonic clock. */
export const epochNow = (): number => performance.timeOrigin + performance.now()
