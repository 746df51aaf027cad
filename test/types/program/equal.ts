type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false

/** Compiles only if `A` and `B` are the same type. */
export declare function same<A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void
