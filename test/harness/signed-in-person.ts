export { SignedInPerson } from '../../bench/withdrawal/signed-in-person.ts'
