//! The system's OpenBLAS, under LAPACK and under ndarray's products.
#![expect(unsafe_code, reason = "a foreign function")]

use std::ffi::c_int;

unsafe extern "C" {
    fn openblas_set_num_threads(threads: c_int);
}

/// Makes OpenBLAS compute on its caller's thread alone, from now on and in the whole process. Its threaded
/// factorisations keep megabytes on their caller's stack, more than tokio's threads and Rust's have (they end the
/// process from some 100 columns on), and their last bits depend on the number of cores.
pub fn single_threaded() {
    // SAFETY: sets a number, under OpenBLAS's own lock; nothing happens if it is set already.
    unsafe { openblas_set_num_threads(1) }
}
