import type { CertificateRefusal } from '../../relay/access/pki/certificate-fault.ts'

/** How NIST's document asks for one test to be run; without policies every policy is acceptable. */
export interface PkitsCase {
  /** Its section, and the number of the setting where a test has several. */
  readonly number: string
  readonly title: string
  /** Last digits of the NIST test policies that are acceptable. */
  readonly policies: readonly number[]
  readonly settings: readonly ('explicit' | 'no mapping' | 'no anyPolicy')[]
  /** `valid`, or why the path must be refused. */
  readonly expected: 'valid' | CertificateRefusal
}

/** What each letter of an expectation stands for. `o`: refused for a reason that {@link CertificateRefusal} does not tell apart. */
const EXPECTATIONS = {
  v: 'valid', s: 'bad_signature', b: 'not_yet_valid', a: 'expired', i: 'wrong_ca', c: 'no_revocation_list', r: 'revoked', l: 'chain_too_long', p: 'wrong_policy', n: 'name_mismatch', o: 'other',
} as const satisfies Record<string, 'valid' | CertificateRefusal>

/**
 * Each line: section, expectation, settings, title. Settings: `P12` accepts the NIST test policies 1 and 2, `E` is
 * initial-explicit-policy, `M` initial-policy-mapping-inhibit, `A` initial-any-policy-inhibit, `-` none of them.
 *
 * @see Public Key Interoperability Test Suite (PKITS) Certification Path Validation, NIST, version 1.0.1, section 4
 */
const TABLE = `
4.1.1 v - Valid Signatures Test1
4.1.2 s - Invalid CA Signature Test2
4.1.3 s - Invalid EE Signature Test3
4.1.4 v - Valid DSA Signatures Test4
4.1.5 v - Valid DSA Parameter Inheritance Test5
4.1.6 s - Invalid DSA Signature Test6
4.2.1 b - Invalid CA notBefore Date Test1
4.2.2 b - Invalid EE notBefore Date Test2
4.2.3 v - Valid pre2000 UTC notBefore Date Test3
4.2.4 v - Valid GeneralizedTime notBefore Date Test4
4.2.5 a - Invalid CA notAfter Date Test5
4.2.6 a - Invalid EE notAfter Date Test6
4.2.7 a - Invalid pre2000 UTC EE notAfter Date Test7
4.2.8 v - Valid GeneralizedTime notAfter Date Test8
4.3.1 i - Invalid Name Chaining EE Test1
4.3.2 i - Invalid Name Chaining Order Test2
4.3.3 v - Valid Name Chaining Whitespace Test3
4.3.4 v - Valid Name Chaining Whitespace Test4
4.3.5 v - Valid Name Chaining Capitalization Test5
4.3.6 v - Valid Name Chaining UIDs Test6
4.3.7 v - Valid RFC3280 Mandatory Attribute Types Test7
4.3.8 v - Valid RFC3280 Optional Attribute Types Test8
4.3.9 v - Valid UTF8String Encoded Names Test9
4.3.10 v - Valid Rollover from PrintableString to UTF8String Test10
4.3.11 v - Valid UTF8String Case Insensitive Match Test11
4.4.1 c - Missing CRL Test1
4.4.2 r - Invalid Revoked CA Test2
4.4.3 r - Invalid Revoked EE Test3
4.4.4 s - Invalid Bad CRL Signature Test4
4.4.5 c - Invalid Bad CRL Issuer Name Test5
4.4.6 c - Invalid Wrong CRL Test6
4.4.7 v - Valid Two CRLs Test7
4.4.8 c - Invalid Unknown CRL Entry Extension Test8
4.4.9 c - Invalid Unknown CRL Extension Test9
4.4.10 c - Invalid Unknown CRL Extension Test10
4.4.11 c - Invalid Old CRL nextUpdate Test11
4.4.12 c - Invalid pre2000 CRL nextUpdate Test12
4.4.13 v - Valid GeneralizedTime CRL nextUpdate Test13
4.4.14 v - Valid Negative Serial Number Test14
4.4.15 r - Invalid Negative Serial Number Test15
4.4.16 v - Valid Long Serial Number Test16
4.4.17 v - Valid Long Serial Number Test17
4.4.18 r - Invalid Long Serial Number Test18
4.4.19 v - Valid Separate Certificate and CRL Keys Test19
4.4.20 r - Invalid Separate Certificate and CRL Keys Test20
4.4.21 c - Invalid Separate Certificate and CRL Keys Test21
4.5.1 v - Valid Basic Self-Issued Old With New Test1
4.5.2 r - Invalid Basic Self-Issued Old With New Test2
4.5.3 v - Valid Basic Self-Issued New With Old Test3
4.5.4 v - Valid Basic Self-Issued New With Old Test4
4.5.5 r - Invalid Basic Self-Issued New With Old Test5
4.5.6 v - Valid Basic Self-Issued CRL Signing Key Test6
4.5.7 r - Invalid Basic Self-Issued CRL Signing Key Test7
4.5.8 i - Invalid Basic Self-Issued CRL Signing Key Test8
4.6.1 i - Invalid Missing basicConstraints Test1
4.6.2 i - Invalid cA False Test2
4.6.3 i - Invalid cA False Test3
4.6.4 v - Valid basicConstraints Not Critical Test4
4.6.5 l - Invalid pathLenConstraint Test5
4.6.6 l - Invalid pathLenConstraint Test6
4.6.7 v - Valid pathLenConstraint Test7
4.6.8 v - Valid pathLenConstraint Test8
4.6.9 l - Invalid pathLenConstraint Test9
4.6.10 l - Invalid pathLenConstraint Test10
4.6.11 l - Invalid pathLenConstraint Test11
4.6.12 l - Invalid pathLenConstraint Test12
4.6.13 v - Valid pathLenConstraint Test13
4.6.14 v - Valid pathLenConstraint Test14
4.6.15 v - Valid Self-Issued pathLenConstraint Test15
4.6.16 l - Invalid Self-Issued pathLenConstraint Test16
4.6.17 v - Valid Self-Issued pathLenConstraint Test17
4.7.1 i - Invalid keyUsage Critical keyCertSign False Test1
4.7.2 i - Invalid keyUsage Not Critical keyCertSign False Test2
4.7.3 v - Valid keyUsage Not Critical Test3
4.7.4 c - Invalid keyUsage Critical cRLSign False Test4
4.7.5 c - Invalid keyUsage Not Critical cRLSign False Test5
4.8.1.1 v E All Certificates Same Policy Test1
4.8.1.2 v EP1 All Certificates Same Policy Test1
4.8.1.3 p EP2 All Certificates Same Policy Test1
4.8.1.4 v EP12 All Certificates Same Policy Test1
4.8.2.1 v - All Certificates No Policies Test2
4.8.2.2 p E All Certificates No Policies Test2
4.8.3.1 v - Different Policies Test3
4.8.3.2 p E Different Policies Test3
4.8.3.3 p EP12 Different Policies Test3
4.8.4 p - Different Policies Test4
4.8.5 p - Different Policies Test5
4.8.6.1 v - Overlapping Policies Test6
4.8.6.2 v P1 Overlapping Policies Test6
4.8.6.3 p P2 Overlapping Policies Test6
4.8.7 p - Different Policies Test7
4.8.8 p - Different Policies Test8
4.8.9 p - Different Policies Test9
4.8.10.1 v - All Certificates Same Policies Test10
4.8.10.2 v P1 All Certificates Same Policies Test10
4.8.10.3 v P2 All Certificates Same Policies Test10
4.8.11.1 v - All Certificates AnyPolicy Test11
4.8.11.2 v P1 All Certificates AnyPolicy Test11
4.8.12 p - Different Policies Test12
4.8.13.1 v P1 All Certificates Same Policies Test13
4.8.13.2 v P2 All Certificates Same Policies Test13
4.8.13.3 v P3 All Certificates Same Policies Test13
4.8.14.1 v P1 AnyPolicy Test14
4.8.14.2 p P2 AnyPolicy Test14
4.8.15 v - User Notice Qualifier Test15
4.8.16 v - User Notice Qualifier Test16
4.8.17 v - User Notice Qualifier Test17
4.8.18.1 v P1 User Notice Qualifier Test18
4.8.18.2 v P2 User Notice Qualifier Test18
4.8.19 v - User Notice Qualifier Test19
4.8.20 v - CPS Pointer Qualifier Test20
4.9.1 v - Valid RequireExplicitPolicy Test1
4.9.2 v - Valid RequireExplicitPolicy Test2
4.9.3 p - Invalid RequireExplicitPolicy Test3
4.9.4 v - Valid RequireExplicitPolicy Test4
4.9.5 p - Invalid RequireExplicitPolicy Test5
4.9.6 v - Valid Self-Issued requireExplicitPolicy Test6
4.9.7 p - Invalid Self-Issued requireExplicitPolicy Test7
4.9.8 p - Invalid Self-Issued requireExplicitPolicy Test8
4.10.1.1 v P1 Valid Policy Mapping Test1
4.10.1.2 p P2 Valid Policy Mapping Test1
4.10.1.3 p M Valid Policy Mapping Test1
4.10.2.1 p - Invalid Policy Mapping Test2
4.10.2.2 p M Invalid Policy Mapping Test2
4.10.3.1 p P1 Valid Policy Mapping Test3
4.10.3.2 v P2 Valid Policy Mapping Test3
4.10.4 p - Invalid Policy Mapping Test4
4.10.5.1 v P1 Valid Policy Mapping Test5
4.10.5.2 p P6 Valid Policy Mapping Test5
4.10.6.1 v P1 Valid Policy Mapping Test6
4.10.6.2 p P6 Valid Policy Mapping Test6
4.10.7 p - Invalid Mapping From anyPolicy Test7
4.10.8 p - Invalid Mapping To anyPolicy Test8
4.10.9 v - Valid Policy Mapping Test9
4.10.10 p - Invalid Policy Mapping Test10
4.10.11 v - Valid Policy Mapping Test11
4.10.12.1 v P1 Valid Policy Mapping Test12
4.10.12.2 v P2 Valid Policy Mapping Test12
4.10.13 v - Valid Policy Mapping Test13
4.10.14 v - Valid Policy Mapping Test14
4.11.1 p - Invalid inhibitPolicyMapping Test1
4.11.2 v - Valid inhibitPolicyMapping Test2
4.11.3 p - Invalid inhibitPolicyMapping Test3
4.11.4 v - Valid inhibitPolicyMapping Test4
4.11.5 p - Invalid inhibitPolicyMapping Test5
4.11.6 p - Invalid inhibitPolicyMapping Test6
4.11.7 v - Valid Self-Issued inhibitPolicyMapping Test7
4.11.8 p - Invalid Self-Issued inhibitPolicyMapping Test8
4.11.9 p - Invalid Self-Issued inhibitPolicyMapping Test9
4.11.10 p - Invalid Self-Issued inhibitPolicyMapping Test10
4.11.11 p - Invalid Self-Issued inhibitPolicyMapping Test11
4.12.1 p - Invalid inhibitAnyPolicy Test1
4.12.2 v - Valid inhibitAnyPolicy Test2
4.12.3.1 v - inhibitAnyPolicy Test3
4.12.3.2 p A inhibitAnyPolicy Test3
4.12.4 p - Invalid inhibitAnyPolicy Test4
4.12.5 p - Invalid inhibitAnyPolicy Test5
4.12.6 p - Invalid inhibitAnyPolicy Test6
4.12.7 v - Valid Self-Issued inhibitAnyPolicy Test7
4.12.8 p - Invalid Self-Issued inhibitAnyPolicy Test8
4.12.9 v - Valid Self-Issued inhibitAnyPolicy Test9
4.12.10 p - Invalid Self-Issued inhibitAnyPolicy Test10
4.13.1 v - Valid DN nameConstraints Test1
4.13.2 n - Invalid DN nameConstraints Test2
4.13.3 n - Invalid DN nameConstraints Test3
4.13.4 v - Valid DN nameConstraints Test4
4.13.5 v - Valid DN nameConstraints Test5
4.13.6 v - Valid DN nameConstraints Test6
4.13.7 n - Invalid DN nameConstraints Test7
4.13.8 n - Invalid DN nameConstraints Test8
4.13.9 n - Invalid DN nameConstraints Test9
4.13.10 n - Invalid DN nameConstraints Test10
4.13.11 v - Valid DN nameConstraints Test11
4.13.12 n - Invalid DN nameConstraints Test12
4.13.13 n - Invalid DN nameConstraints Test13
4.13.14 v - Valid DN nameConstraints Test14
4.13.15 n - Invalid DN nameConstraints Test15
4.13.16 n - Invalid DN nameConstraints Test16
4.13.17 n - Invalid DN nameConstraints Test17
4.13.18 v - Valid DN nameConstraints Test18
4.13.19 v - Valid Self-Issued DN nameConstraints Test19
4.13.20 n - Invalid Self-Issued DN nameConstraints Test20
4.13.21 v - Valid RFC822 nameConstraints Test21
4.13.22 n - Invalid RFC822 nameConstraints Test22
4.13.23 v - Valid RFC822 nameConstraints Test23
4.13.24 n - Invalid RFC822 nameConstraints Test24
4.13.25 v - Valid RFC822 nameConstraints Test25
4.13.26 n - Invalid RFC822 nameConstraints Test26
4.13.27 v - Valid DN and RFC822 nameConstraints Test27
4.13.28 n - Invalid DN and RFC822 nameConstraints Test28
4.13.29 n - Invalid DN and RFC822 nameConstraints Test29
4.13.30 v - Valid DNS nameConstraints Test30
4.13.31 n - Invalid DNS nameConstraints Test31
4.13.32 v - Valid DNS nameConstraints Test32
4.13.33 n - Invalid DNS nameConstraints Test33
4.13.34 v - Valid URI nameConstraints Test34
4.13.35 n - Invalid URI nameConstraints Test35
4.13.36 v - Valid URI nameConstraints Test36
4.13.37 n - Invalid URI nameConstraints Test37
4.13.38 n - Invalid DNS nameConstraints Test38
4.14.1 v - Valid distributionPoint Test1
4.14.2 r - Invalid distributionPoint Test2
4.14.3 c - Invalid distributionPoint Test3
4.14.4 v - Valid distributionPoint Test4
4.14.5 v - Valid distributionPoint Test5
4.14.6 r - Invalid distributionPoint Test6
4.14.7 v - Valid distributionPoint Test7
4.14.8 c - Invalid distributionPoint Test8
4.14.9 c - Invalid distributionPoint Test9
4.14.10 v - Valid No issuingDistributionPoint Test10
4.14.11 c - Invalid onlyContainsUserCerts CRL Test11
4.14.12 c - Invalid onlyContainsCACerts CRL Test12
4.14.13 v - Valid onlyContainsCACerts CRL Test13
4.14.14 c - Invalid onlyContainsAttributeCerts Test14
4.14.15 r - Invalid onlySomeReasons Test15
4.14.16 r - Invalid onlySomeReasons Test16
4.14.17 c - Invalid onlySomeReasons Test17
4.14.18 v - Valid onlySomeReasons Test18
4.14.19 v - Valid onlySomeReasons Test19
4.14.20 r - Invalid onlySomeReasons Test20
4.14.21 r - Invalid onlySomeReasons Test21
4.14.22 v - Valid IDP with indirectCRL Test22
4.14.23 r - Invalid IDP with indirectCRL Test23
4.14.24 v - Valid IDP with indirectCRL Test24
4.14.25 v - Valid IDP with indirectCRL Test25
4.14.26 c - Invalid IDP with indirectCRL Test26
4.14.27 c - Invalid cRLIssuer Test27
4.14.28 v - Valid cRLIssuer Test28
4.14.29 v - Valid cRLIssuer Test29
4.14.30 v - Valid cRLIssuer Test30
4.14.31 r - Invalid cRLIssuer Test31
4.14.32 r - Invalid cRLIssuer Test32
4.14.33 v - Valid cRLIssuer Test33
4.14.34 r - Invalid cRLIssuer Test34
4.14.35 c - Invalid cRLIssuer Test35
4.15.1 c - Invalid deltaCRLIndicator No Base Test1
4.15.2 v - Valid delta-CRL Test2
4.15.3 r - Invalid delta-CRL Test3
4.15.4 r - Invalid delta-CRL Test4
4.15.5 v - Valid delta-CRL Test5
4.15.6 r - Invalid delta-CRL Test6
4.15.7 v - Valid delta-CRL Test7
4.15.8 v - Valid delta-CRL Test8
4.15.9 r - Invalid delta-CRL Test9
4.15.10 c - Invalid delta-CRL Test10
4.16.1 v - Valid Unknown Not Critical Certificate Extension Test1
4.16.2 o - Invalid Unknown Critical Certificate Extension Test2
`

function parse(line: string): PkitsCase {
  const [, number = '', letter = '', settings = '', title = ''] = /^(\S+) (\S) (\S+) (.+)$/.exec(line) ?? []
  if (!(letter in EXPECTATIONS)) throw new Error(`not a line of the table: ${line}`)
  return {
    number,
    title,
    policies: Array.from(/P(\d+)/.exec(settings)?.[1] ?? '', Number),
    settings: [...(settings.includes('E') ? (['explicit'] as const) : []), ...(settings.includes('M') ? (['no mapping'] as const) : []), ...(settings.includes('A') ? (['no anyPolicy'] as const) : [])],
    expected: EXPECTATIONS[letter as keyof typeof EXPECTATIONS],
  }
}

/** Every test of sections 4.1 to 4.16 with every setting that NIST asks for. */
export const PKITS_CASES: readonly PkitsCase[] = TABLE.trim().split('\n').map(parse)

/** Tests of what is not accepted here on principle, and why; each must be refused. */
export const NOT_APPLICABLE: ReadonlyMap<string, string> = new Map([
  ['4.1.4', 'DSA: keys of 1024 bits, which are refused'],
  ['4.1.5', 'DSA: keys of 1024 bits, which are refused'],
  ['4.1.6', 'DSA: keys of 1024 bits, which are refused'],
])

/** Tests that fail, and why that is left so. */
export const KNOWN_FAILURES: ReadonlyMap<string, string> = new Map([
  ['4.6.4', 'stricter than NIST asks: RFC 5280 section 4.2.1.9 wants the basic constraints of a CA to be critical, and what is not is refused'],
  ['4.14.30', "stricter than NIST asks: the revocation list's signer is found on that list only, and OpenSSL does not follow the circle"],
])
