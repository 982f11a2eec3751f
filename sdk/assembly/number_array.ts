// Number arrays in the flow's state: what `@length(n) name: U32Array` gives.
//
// The compiler replaces the field's type by one made for its length, so that an index check is a comparison with a constant; these
// classes stand for it in source and editor. A function takes such a field as a type parameter: `function sum<A>(a: A): u64`.
// Elements are read as u32 (u64 for U64Array), since arithmetic on u8 and u16 wraps.

@unmanaged
export class U8Array {
  [key: number]: u32;
  get length(): u32 {
    return ERROR("take a state array as a type parameter: function f<A>(a: A)");
  }
}
@unmanaged
export class U16Array {
  [key: number]: u32;
  get length(): u32 {
    return ERROR("take a state array as a type parameter: function f<A>(a: A)");
  }
}
@unmanaged
export class U32Array {
  [key: number]: u32;
  get length(): u32 {
    return ERROR("take a state array as a type parameter: function f<A>(a: A)");
  }
}
@unmanaged
export class U64Array {
  [key: number]: u64;
  get length(): u32 {
    return ERROR("take a state array as a type parameter: function f<A>(a: A)");
  }
}

export function badIndex(): void {
  throw new RangeError("state array: the index is not below its length");
}
