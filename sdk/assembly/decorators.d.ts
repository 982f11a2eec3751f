// For editors: the decorators that NFActor's compiler knows, besides the language's own.

/** A class of a flow's state: integers, booleans, @bytes and @length fields. The version of its layout is 1 if not given. */
declare function flowState(version: number): ClassDecorator;
declare function flowState(target: Function): void;
/** A class of the configuration: its fields are read from the host's file. */
declare function config(target: Function): void;
/** Bytes of a field of type Bytes. */
declare function bytes(count: number): PropertyDecorator;
/** Elements of a field of type U8Array, U16Array, U32Array or U64Array. */
declare function length(count: number): PropertyDecorator;
/** Tools show this field of type Bytes as text. */
declare function text(target: object, key: string): void;
/** Least and greatest value of a number in the configuration. */
declare function range(least: number, most: number): PropertyDecorator;
/** The words that a string in the configuration may be. */
declare function oneOf(...words: string[]): PropertyDecorator;
/** What a string in the configuration is. */
declare function format(name: "ipv4" | "ipv6" | "address" | "prefix" | "ports"): PropertyDecorator;
/** Most elements of an array, or characters of a string, in the configuration. */
declare function limit(most: number): PropertyDecorator;
/** Says that a top-level variable is meant to belong to the instance although it is written while packets are processed. */
declare function instanceState(target: object, key: string): void;
