//! Re-exports Wasmtime's C API from one shared library, so that the dataplane links a pinned engine.
pub use wasmtime_c_api::*;
