//! Generates the gRPC bindings; protox compiles the descriptions, so that no protoc is needed.
use std::{env, error::Error, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=fondaco");
    let descriptors = protox::compile(["fondaco/v1/service.proto"], ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    std::fs::write(out.join("fondaco.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".fondaco.v1.Chunk.data")
        .bytes(".fondaco.v1.Block.data")
        .compile_fds(descriptors)?;
    Ok(())
}
