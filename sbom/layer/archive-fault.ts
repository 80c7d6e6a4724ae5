/** Thrown where the bytes of a layer break their format; says what is wrong, its catcher knows which layer it is. */
export class ArchiveFault extends Error {}
