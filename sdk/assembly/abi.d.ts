// For editors: the compiler takes the generated file under this name.
export * from "../abi/gen/abi.as";
