/** Where a page learns who uses it. */
export interface SignInSource {
  /**
   * Asks the person when needed: for a ticket, a passkey or a card.
   *
   * @returns An access token of the node, bound to the page's `DpopKey`, good for minutes.
   * @throws {RelayFault} `sign_in_required` when nobody signed in, or why what was shown does not count.
   */
  signIn(): Promise<string>
}
