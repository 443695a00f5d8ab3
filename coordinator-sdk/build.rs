//! Links the system's OpenBLAS, which ndarray-linalg without a backend feature leaves to its user.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-lib=openblas");
}
